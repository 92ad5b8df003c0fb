"""Everything between the parsed tree and the checked one.

`expand` adds the included files, lays the chosen profile over them and puts
variables in. It returns new nodes where something changed and leaves the
others, which aliases may share, as they are. Runs in whatever thread loads a
config.
"""

import os
from collections.abc import Mapping

from logroute.config.includes import choose_profile, include_files, without
from logroute.config.nodes import SECRET_NAME, Node, shown
from logroute.config.source import MAX_BYTES, Source, read_file
from logroute.diagnostics import Diagnostic, Span, error, warning
from logroute.hints import nearest, suggest
from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["PROFILE_VARIABLE", "expand"]

PROFILE_VARIABLE = "LOGROUTE_PROFILE"
#: Largest file that a `${file:...}` reads, in bytes.
MAX_SECRET_BYTES = 64 * 1024

_VARIABLE = lazy_pattern(r"\$\$\{|\$\{(?P<body>[^}]*)(?P<end>\}?)")
_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PREFIX = lazy_pattern(r"([A-Za-z_][A-Za-z0-9_.-]*):(?!-)")
_SURROGATE = lazy_pattern(r"[\ud800-\udfff]")  # how Python keeps bytes that are not UTF-8
_PREFIXES = ("env", "file", "var")
# a guess at what was meant takes its time
_MOST_GUESSES = 20


class _UnknownError(Exception):
    """A variable has no value; carries the diagnostic's message and help."""

    def __init__(self, message: str, help: str | None = None, code: str = "LR203") -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code


class _Found:
    """What a variable stands for; `text` is None where it is not known here."""

    __slots__ = ("secret", "text")

    def __init__(self, text: str | None, secret: bool) -> None:
        self.text = text
        self.secret = secret


def expand(
    node: Node,
    source: Source,
    *,
    profile: str | None,
    environ: Mapping[str, str],
    read_secrets: bool,
    is_stdlib: bool = False,
    needs_environment: bool = True,
    folders: dict[str, str] | None = None,
) -> tuple[Node, list[Diagnostic]]:
    """Return `node` with includes, profile and variables put in.

    Args:
        node: the root of `source`.
        source: where it comes from; relative paths start from its folder.
        profile: name of the profile; None: what ``LOGROUTE_PROFILE`` says.
        environ: the environment variables.
        read_secrets: whether ``${file:...}`` is read; else its value stays unknown.
        is_stdlib: it is a plain dictConfig file, where what looks like a variable
            but is not set stays as it is, as it always did.
        needs_environment: whether an environment variable that is not set is a
            fault; else its value is unknown.
        folders: gets, by name of each text, the folder its relative paths start from.

    Returns:
        The tree without `include`, `profiles` and `vars`, and what is wrong.
    """
    faults: list[Diagnostic] = []
    if not isinstance(node.value, dict):
        return node, faults
    folders = {} if folders is None else folders
    root = include_files(node, source, folders, faults)
    root = choose_profile(root, profile, environ.get(PROFILE_VARIABLE), faults)
    variables = _Variables(environ, folders, read_secrets, faults)
    variables.is_stdlib = is_stdlib
    variables.needs_environment = needs_environment
    if "vars" in root.value:
        variables.define(root.value["vars"])
        root = without(root, ("vars",))
    return variables.put_into(root), faults


class _Variables:
    """Puts values in the place of variables, each scalar once."""

    def __init__(
        self,
        environ: Mapping[str, str],
        folders: dict[str, str],
        read_secrets: bool,
        faults: list[Diagnostic],
    ) -> None:
        self.environ = environ
        self.folders = folders
        self.read_secrets = read_secrets
        self.faults = faults
        self.is_stdlib = False
        self.needs_environment = True
        self.own: dict[str, Node] | None = None  # `vars`, once they are read
        self.broken = False  # `vars` is there, but nobody knows what it says
        # aliases share nodes: once is enough; the first of a pair keeps its id taken
        self.seen: dict[tuple[int, bool], tuple[Node, Node]] = {}
        self.files: dict[str, _Found] = {}
        self.size = 0
        self.guesses = 0

    def define(self, table: Node) -> None:
        """Read `vars`; its values may use the environment and files."""
        own: dict[str, Node] = {}
        if not isinstance(table.value, dict):
            message = "`vars` must be a mapping of names to values"
            self.faults.append(error("LR103", message, table.span))
            self.broken = True
        else:
            for name, item in table.value.items():
                value = self._node(item)
                if isinstance(value.value, str | int | float | None) or value.opaque:
                    own[name] = value
                    continue
                message = f"the variable `{shown(name)}` must be a text, a number, true or false"
                self.faults.append(error("LR103", message, item.span))
                own[name] = Node("", item.span, opaque=True)
        self.own = own

    def put_into(self, root: Node) -> Node:
        """Return the whole config with values in the place of variables."""
        if self.own is None:
            self.own = {}
        changed: dict[str, Node] = {}
        for key, item in root.value.items():
            if key == "tests" or key.startswith("x-"):
                continue
            new = self._formatters(item) if key == "formatters" else self._node(item)
            if new is not item:
                changed[key] = new
        return _with(root, changed)

    def _formatters(self, table: Node) -> Node:
        """Put values in formatters; with `style: $`, `${name}` is a record's field."""
        if not isinstance(table.value, dict):
            return self._node(table)
        changed: dict[str, Node] = {}
        for name, item in table.value.items():
            new = self._node(item) if not _has_dollar_style(item) else self._dollar_style(item)
            if new is not item:
                changed[name] = new
        return _with(table, changed)

    def _dollar_style(self, item: Node) -> Node:
        changed: dict[str, Node] = {}
        for key, value in item.value.items():
            new = self._node(value, fields=key in ("format", "fmt"))
            if new is not value:
                changed[key] = new
        return _with(item, changed)

    def _node(self, node: Node, fields: bool = False) -> Node:
        """Return `node`, or a new one where a variable is in it.

        Args:
            node: any node.
            fields: `${name}` without a prefix is not a variable of ours.
        """
        key = (id(node), fields)
        known = self.seen.get(key)
        if known is not None:
            return known[1]
        value, new = node.value, node
        if isinstance(value, dict):
            changed = {
                name: inner
                for name, item in value.items()
                if (inner := self._node(item, fields)) is not item
            }
            new = _with(node, changed)
        elif isinstance(value, list):
            items = [self._node(item, fields) for item in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                new = Node(type(value)(items), node.span, secret=node.secret, opaque=node.opaque)
        elif isinstance(value, str) and "${" in value and not node.opaque:
            new = self._scalar(node, fields)
        self.seen[key] = (node, new)
        return new

    def _scalar(self, node: Node, fields: bool) -> Node:
        """Put values in one text."""
        text: str = node.value
        parts: list[str] = []
        at, known, secret, whole = 0, True, node.secret, False
        for match in _VARIABLE.finditer(text):
            body = match["body"]
            if fields and (body is None or _NAME.match(body)):
                continue
            parts.append(text[at : match.start()])
            at = match.end()
            if body is None:
                parts.append("${")
                continue
            try:
                found = self._find(body, bool(match["end"]), node)
            except _UnknownError as fault:
                span = _part(node, match.start(), match.end())
                if self.is_stdlib:
                    message = (
                        f"{fault.message}; the text stays as it is, as in the standard library"
                    )
                    self.faults.append(warning(fault.code, message, span, fault.help))
                    parts.append(match[0])
                    continue
                self.faults.append(error(fault.code, fault.message, span, fault.help))
                found = _Found(None, secret=False)
            secret = secret or found.secret
            known = known and found.text is not None
            whole = match.span() == (0, len(text))
            parts.append(found.text or "")
        if not parts:
            return node
        result = "".join(parts) + text[at:] if known else ""
        if not self._fits(len(result), node):
            known, result = False, ""
        return Node(
            result,
            node.span,
            text=result,
            untyped=whole,
            secret=secret,
            opaque=not known,
        )

    def _fits(self, size: int, node: Node) -> bool:
        before, self.size = self.size, self.size + size
        if self.size <= MAX_BYTES:
            return True
        if before <= MAX_BYTES:
            message = f"variables make the config larger than {MAX_BYTES // 1024} KiB"
            cure = "see what the variables hold"
            self.faults.append(error("LR004", message, node.span, cure))
        return False

    def _find(self, body: str, closed: bool, node: Node) -> _Found:
        """Return what the variable written ``${body}`` stands for."""
        if not closed:
            raise _UnknownError("`${` is not closed", "write `$${` for a literal `${`")
        if "${" in body:
            raise _UnknownError(
                "variables cannot stand inside each other", "give the inner one a name in `vars`"
            )
        prefix = _PREFIX.match(body)
        if prefix is None:
            return self._environment(body)
        rest = body[prefix.end() :]
        if prefix[1] == "env":
            return self._environment(rest)
        if prefix[1] == "file":
            return self._file(rest, node)
        if prefix[1] == "var":
            return self._own(rest)
        raise _UnknownError(
            f"`{shown(prefix[1])}:` is not a kind of variable",
            f"write `${{{shown(prefix[1])}:-...}}` to give a default"
            if prefix[1].isupper() or prefix[1] in self.environ
            else suggest(prefix[1], _PREFIXES),
        )

    def _environment(self, body: str) -> _Found:
        name, has_default, default = body.partition(":-")
        if not _NAME.match(name):
            raise _UnknownError(  # not quoted: it may be part of a password
                "this is not a variable",
                "write `${NAME}` or `${NAME:-default}`; `$${` stands for a literal `${`",
            )
        secret = SECRET_NAME.search(name) is not None
        value = self.environ.get(name)
        if value is not None and not value.isascii() and _SURROGATE.search(value):
            message = f"the environment variable `{name}` is not UTF-8 text"
            raise _UnknownError(message, "set it to text in UTF-8")
        if has_default:
            return _Found(value or default, secret)
        if value is not None or not self.needs_environment:
            return _Found(value, secret)
        raise _UnknownError(
            f"the environment variable `{name}` is not set",
            f"`vars` has it: write `${{var:{name}}}`"
            if self.own and name in self.own
            else f"set it, or give a default: `${{{name}:-...}}`",
        )

    def _own(self, body: str) -> _Found:
        name, has_default, default = body.partition(":-")
        if self.own is None:
            raise _UnknownError(
                "a value in `vars` cannot use another one", "write it out, or use the environment"
            )
        node = self.own.get(name)
        if self.broken:
            return _Found(None, secret=False)
        if node is None:
            if has_default:
                return _Found(default, secret=False)
            raise _UnknownError(f"`vars` has no `{shown(name)}`", self._guess(name))
        if node.opaque:
            return _Found(None, node.secret)
        secret = node.secret or SECRET_NAME.search(name) is not None
        return _Found(node.text or (default if has_default else ""), secret)

    def _guess(self, name: str) -> str | None:
        """Return which variable was meant; of a hopeless file only the first times."""
        self.guesses += 1
        if not self.own or self.guesses > _MOST_GUESSES:
            return None
        near = nearest(name, self.own)
        return f"did you mean `{shown(near)}`?" if near else suggest(name, self.own)

    def _file(self, path: str, node: Node) -> _Found:
        """Return the text of a secret file, read once."""
        if not path:
            raise _UnknownError("`${file:}` names no file", "write `${file:/run/secrets/name}`")
        if not self.read_secrets:
            return _Found(None, secret=True)
        path = os.path.join(self.folders.get(node.span.file, ""), path)
        if path not in self.files:
            self.files[path] = _Found(_read_secret(path, node.span), secret=True)
        return self.files[path]


def _read_secret(path: str, span: Span) -> str:
    data, fault = read_file(path, span, MAX_SECRET_BYTES)
    if data is None:
        message = fault.message if fault else f"cannot read `{path}`"
        raise _UnknownError(message, fault and fault.help, fault.code if fault else "LR001")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _UnknownError(f"`{path}` is not UTF-8 text", "save it as UTF-8", "LR002") from None
    if "\0" in text:
        raise _UnknownError(f"`{path}` is not a text file", "name a text file", "LR002")
    return text.rstrip("\r\n")


def _has_dollar_style(item: Node) -> bool:
    if not isinstance(item.value, dict):
        return False
    style = item.value.get("style")
    return style is not None and style.value == "$"


def _with(node: Node, changed: dict[str, Node]) -> Node:
    """Return a mapping with some of its values changed."""
    if not changed:
        return node
    value: dict[str, Any] = {**node.value, **changed}
    return Node(value, node.span, node.keys, secret=node.secret, opaque=node.opaque)


def _part(node: Node, start: int, end: int) -> Span:
    """Return the place of a part of a scalar, where its text stands as it is."""
    span = node.span
    width = span.end_column - span.column if span.line == span.end_line else -1
    quotes = (width - len(node.text)) // 2
    if width != len(node.text) + 2 * quotes or quotes not in (0, 1):
        return span
    column = span.column + quotes
    return span._replace(column=column + start, end_column=column + end)
