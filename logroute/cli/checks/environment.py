"""The environment variables that a check sees: --env, --env-file, --no-env."""

import os
import re
from collections.abc import Mapping, Sequence

from logroute.cli.checks.select import UsageError
from logroute.config.source import read_path

__all__ = ["environment"]

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
_ESCAPE = re.compile(r"\\(.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}


def environment(given: Sequence[str], files: Sequence[str], *, is_bare: bool) -> Mapping[str, str]:
    """Return the variables: those of this process, of the files, and the given ones.

    Args:
        given: ``KEY=VALUE`` each; they win.
        files: files of such lines.
        is_bare: leave out those of this process.

    Raises:
        UsageError: a file cannot be read, or something is not ``KEY=VALUE``.
    """
    if not given and not files and not is_bare:
        return os.environ
    variables = {} if is_bare else dict(os.environ)
    for path in files:
        variables.update(_of_file(path))
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError("--env takes KEY=VALUE")  # not shown: it may be a secret
        variables[name] = value
    return variables


def _of_file(path: str) -> Mapping[str, str]:
    source, faults = read_path(path, syntax="yaml")
    if source is None:
        raise UsageError(f"--env-file: {faults[0].message}")
    variables = {}
    for number, line in enumerate(source.text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise UsageError(f"--env-file: line {number} of `{path}` is not KEY=VALUE")
        variables[match["name"]] = _value(match["value"])
    return variables


def _value(text: str) -> str:
    """Return a value without its quotes, or without the comment behind it."""
    quote = text[:1]
    end = text.rfind(quote, 1) if quote in ("'", '"') else -1
    if end > 0 and (not text[end + 1 :].strip() or text[end + 1 :].lstrip().startswith("#")):
        inner = text[1:end]
        if quote == "'":
            return inner
        return _ESCAPE.sub(lambda match: _LETTERS.get(match[1], match[1]), inner)
    return re.split(r"\s#", text, maxsplit=1)[0].strip()
