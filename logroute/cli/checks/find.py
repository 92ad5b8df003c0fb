"""Which files a command line means: files, directories, globs, or none at all.

In a directory only files that look like a logging config are taken, and never
one that merely has a suffix in common with them. A file that is named is always
taken, whatever is in it.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from logroute.config.source import read_file
from logroute.diagnostics import Span
from logroute.light import NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["USUAL", "Found", "drop_included", "find_files"]

#: How much of a text is looked at for keys inside braces.
_FLOW_LETTERS = 100_000

#: Where a config is looked for when none is named, in this order.
USUAL = tuple(
    f"{folder}{stem}.{suffix}"
    for folder in ("", "config/", "conf/")
    for stem in ("logging", "logroute")
    for suffix in ("yaml", "yml", "json", "toml")
)

_SUFFIXES = (".yaml", ".yml", ".json", ".toml")
_SKIPPED = frozenset(("node_modules", "__pycache__", "site-packages", "venv"))
_SURE = frozenset(("handlers", "formatters", "loggers", "routes"))
_LIKELY = _SURE | {"filters", "root", "include", "profiles", "disable_existing_loggers"}
_NAME = lazy_pattern(
    r"(?i)(?:^|[._-])(?:logging|logroute|log[._-]?(?:conf|config|cfg|routes?))(?:[._-]|$)|^logs?$"
)
_YAML_KEY = lazy_pattern(r"(?m)^[\"']?([A-Za-z_][\w-]*)[\"']?[ \t]*:(?=\s|\Z)")
_TOML_TABLE = lazy_pattern(r"(?m)^[ \t]*\[\[?[ \t]*([A-Za-z_][\w-]*)")
_FLOW_KEY = lazy_pattern(r"[{,\s][\"']?([A-Za-z_][\w-]*)[\"']?\s*:")


class Found(NamedTuple):
    """What the paths of a command line stand for.

    Attributes:
        names: the files, each once, in the order of the paths.
        from_directories: those that nobody named.
        skipped: how many files of directories look like something else.
        faults: the paths that stand for nothing.
        default: the file that was taken because no path was given.
    """

    names: list[str]
    from_directories: frozenset[str]
    skipped: int
    faults: list[str]
    default: str | None = None


def find_files(paths: Sequence[str], environ: Mapping[str, str] = os.environ) -> Found:
    """Return the files that `paths` stand for."""
    if not paths:
        return _usual(environ)
    names: dict[str, str] = {}  # by real path: each file once
    by_directory: set[str] = set()
    faults: list[str] = []
    skipped = 0
    for path in paths:
        if path == "-":
            names.setdefault(path, path)
            continue
        is_glob = any(letter in path for letter in "*?[") and not os.path.lexists(path)
        matches = _expand(path) if is_glob else [path]
        if not matches:
            faults.append(f"no file matches `{path}`")
        before = len(names)
        for match in matches:
            if os.path.isdir(match):
                taken, left = _in_directory(match)
                skipped += left
                by_directory.update(os.path.realpath(name) for name in taken)
                if not taken and not is_glob:
                    faults.append(f"no logging config found in the directory `{path}`")
            elif is_glob and not match.lower().endswith(_SUFFIXES):
                taken, skipped = [], skipped + 1
            else:
                taken = [match]
                by_directory.discard(_real(match))
            for name in taken:
                names.setdefault(_real(name), name)
        if is_glob and matches and len(names) == before and not names:
            faults.append(f"no config file matches `{path}`")
    return Found(list(names.values()), frozenset(by_directory), skipped, faults)


def _expand(pattern: str) -> list[str]:
    import glob  # a shell has done it, mostly

    return sorted(glob.glob(pattern, recursive=True))


def _real(path: str) -> str:
    return path if path == "-" or "\0" in path else os.path.realpath(path)


def _usual(environ: Mapping[str, str]) -> Found:
    """Return the file that is meant when none is named."""
    named = environ.get("LOGROUTE_CONFIG")
    if named:
        return Found([named], frozenset(), 0, [], named)
    for name in USUAL:
        if os.path.isfile(name):
            return Found([name], frozenset(), 0, [], name)
    fault = (
        "no file is named, LOGROUTE_CONFIG is not set, and there is none of "
        "logging.yaml, logroute.yaml, config/logging.yaml, ... here"
    )
    return Found([], frozenset(), 0, [fault])


def _in_directory(top: str) -> tuple[list[str], int]:
    """Return the configs below a directory, by name, and how many files are none."""
    found, skipped = [], 0
    for folder, inner, files in os.walk(top):
        inner[:] = sorted(name for name in inner if not _is_skipped(folder, name))
        for name in sorted(files):
            if name.lower().endswith(_SUFFIXES):
                path = os.path.join(folder, name)
                path = os.path.normpath(path) if top in (".", "./") else path
                if looks_like_config(path):
                    found.append(path)
                else:
                    skipped += 1
    return found, skipped


def _is_skipped(folder: str, name: str) -> bool:
    if name.startswith(".") or name in _SKIPPED:
        return True
    return os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))


def looks_like_config(path: str) -> bool:
    """Return whether a file is a logging config, by its top level and its name."""
    says_so = bool(_NAME.search(os.path.splitext(os.path.basename(path))[0]))
    data, _ = read_file(path, Span(path, 1, 1, 1, 1))
    if data is None:
        return says_so
    text = data.decode("utf-8-sig", "replace")
    if says_so and not text.strip():
        return True
    keys = frozenset(_top_keys(text, os.path.splitext(path)[1].lower(), 1 if says_so else 2))
    if says_so:
        return not keys.isdisjoint(_LIKELY)
    return "version" in keys and not keys.isdisjoint(_SURE)


def _top_keys(text: str, suffix: str, least: int) -> Iterator[str]:
    """Yield the keys at the top of a text, as far as they can be seen without reading it all.

    Where nobody knows what is at the top (broken JSON, YAML in one line), it takes at
    least so many of the sections.
    """
    if suffix == ".json" or text.lstrip().startswith("{"):
        if suffix == ".json" and any(f'"{key}"' in text for key in _LIKELY):
            import json

            try:
                top = json.loads(text)
            except (ValueError, RecursionError):
                pass
            else:
                yield from top if isinstance(top, dict) else ()
                return
        seen = set(_FLOW_KEY.findall(text[:_FLOW_LETTERS]))
        yield from seen if len(seen & _SURE) >= least else ()
    elif suffix == ".toml":
        yield from _toml_keys(text)
    else:
        yield from _YAML_KEY.findall(text)


def _toml_keys(text: str) -> Iterable[str]:
    import tomllib

    if not any(key in text for key in _LIKELY):
        return ()
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return _TOML_TABLE.findall(text)


def drop_included(names: Sequence[str], read: Mapping[str, Sequence[str]]) -> set[str]:
    """Return which of the files that nobody named are checked through others.

    Args:
        names: the files, in their order.
        read: by file, all files that were read for it.
    """
    reals = {name: _real(name) for name in names}
    reached = {name: {_real(other) for other in read.get(name, ())} for name in names}
    dropped: set[str] = set()
    for position, name in enumerate(names):
        for other in names:
            if other == name or reals[name] not in reached[other] or other in dropped:
                continue
            # of two that include each other, the first one stays
            if reals[other] not in reached[name] or names.index(other) < position:
                dropped.add(name)
                break
    return dropped
