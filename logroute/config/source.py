"""Where a config comes from: a path, a text or a dict, read safely.

Nothing here looks inside the text. Only regular files are opened, never one
that could block or act (a FIFO, a device), and never more than a fixed size is
read. Runs in whatever thread loads a config.
"""

import bisect
import contextlib
import contextvars
import errno
import os
import stat
from collections.abc import Iterator, Mapping

from logroute.diagnostics import Diagnostic, Span, error
from logroute.hints import nearest
from logroute.light import Any, Literal, NamedTuple
from logroute.patterns import lazy_pattern

__all__ = [
    "CANNOT_READ",
    "MAX_BYTES",
    "Lines",
    "Source",
    "Syntax",
    "from_bytes",
    "from_dict",
    "from_text",
    "noted",
    "read",
    "read_file",
    "read_path",
    "split_lines",
]

Syntax = Literal["yaml", "json", "toml"]

#: Largest config that is read, in bytes.
MAX_BYTES = 4 * 1024 * 1024
#: Code of "there is nothing to check": the command ends with 2, not 1.
CANNOT_READ = "LR001"

_SYNTAXES: Mapping[str, Syntax] = {".json": "json", ".toml": "toml"}
_INI = frozenset({".ini", ".conf", ".cfg"})
_SUFFIXES = (".yaml", ".yml", ".json", ".toml")
# what editors call a line; YAML 1.1 alone also breaks lines at U+0085, U+2028 and U+2029
_LINE_END = lazy_pattern(r"\r\n|\n|\r")
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Source(NamedTuple):
    """A config before anything is read into it.

    Attributes:
        name: as diagnostics show it: the path as given, ``<text>``, ``<dict>``...
        text: the decoded text without a byte order mark; empty for a dict.
        syntax: how to read the text.
        path: absolute path of the file, for includes; None where there is none.
        data: the mapping of a dict source.
    """

    name: str
    text: str
    syntax: Syntax = "yaml"
    path: str | None = None
    data: Mapping[Any, Any] | None = None


class Lines:
    """Turns offsets in a text into lines and columns as editors count them."""

    __slots__ = ("_starts",)

    def __init__(self, text: str) -> None:
        """Find where the lines of `text` start."""
        self._starts = [0, *(found.end() for found in _LINE_END.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of the character at `offset`."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def split_lines(text: str) -> list[str]:
    """Return the lines of `text`, numbered as spans number them."""
    return _LINE_END.split(text)


def read(
    what: str | os.PathLike[str] | Mapping[Any, Any],
    *,
    name: str | None = None,
    syntax: Syntax | None = None,
) -> tuple[Source | None, list[Diagnostic]]:
    """Read a path, a text (a str with a line break) or a dict.

    Args:
        what: where the config is.
        name: how diagnostics call it; default: the path as given, ``<text>``, ``<dict>``.
        syntax: default: by the suffix of the path, else YAML.
    """
    if isinstance(what, Mapping):
        return from_dict(what, name or "<dict>"), []
    if isinstance(what, str) and ("\n" in what or "\r" in what):
        return from_text(what, name or "<text>", syntax or "yaml"), []
    return read_path(os.fsdecode(what), name, syntax)


def read_path(
    path: str, name: str | None = None, syntax: Syntax | None = None
) -> tuple[Source | None, list[Diagnostic]]:
    """Read a file; `name` and `syntax` as for `read`."""
    shown = _printable(name or path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _INI and syntax is None:
        return None, [
            error(
                CANNOT_READ,
                f"`{suffix}` files are in the INI syntax of logging.config.fileConfig, "
                "which is not read here",
                _top(shown),
                "write the same parts as a dictConfig mapping in YAML, or go on using fileConfig",
            )
        ]
    data, fault = read_file(path, _top(shown), name=shown)
    if data is None:
        return None, [fault] if fault else []
    return from_bytes(data, shown, syntax or _SYNTAXES.get(suffix, "yaml"), os.path.abspath(path))


def from_text(text: str, name: str = "<text>", syntax: Syntax = "yaml") -> Source:
    """Return `text` as a source."""
    return Source(name, text.lstrip("\ufeff"), syntax)


def from_dict(mapping: Mapping[Any, Any], name: str = "<dict>") -> Source:
    """Return a mapping, such as one for ``dictConfig``, as a source."""
    return Source(name, "", data=mapping)


def from_bytes(
    data: bytes, name: str, syntax: Syntax = "yaml", path: str | None = None
) -> tuple[Source | None, list[Diagnostic]]:
    """Decode `data` as UTF-8, with or without a byte order mark."""
    fault = _find_undecodable(data, name)
    if fault is not None:
        return None, [fault]
    # a file put together of others may have several
    return Source(name, data.decode().lstrip("\ufeff"), syntax, path), []


_notebook: contextvars.ContextVar[dict[str, bytes | None] | None] = contextvars.ContextVar(
    "logroute_files_read", default=None
)


@contextlib.contextmanager
def noted() -> Iterator[dict[str, bytes | None]]:
    """Keep what this thread reads meanwhile: contents by absolute path, None if it cannot."""
    notes: dict[str, bytes | None] = {}
    token = _notebook.set(notes)
    try:
        yield notes
    finally:
        _notebook.reset(token)


def read_file(
    path: str, span: Span, limit: int = MAX_BYTES, name: str | None = None
) -> tuple[bytes | None, Diagnostic | None]:
    """Return the bytes of a regular file, or why not, told at `span`.

    Args:
        path: the file; links are followed.
        span: the place of the diagnostic.
        limit: most bytes that may be read.
        name: how messages call the file; default: by its path.
    """
    data, fault = _read_file(path, span, limit, name)
    notes = _notebook.get()
    if notes is not None and "\0" not in path:
        notes[os.path.abspath(path)] = data
    return data, fault


def _read_file(
    path: str, span: Span, limit: int, name: str | None
) -> tuple[bytes | None, Diagnostic | None]:
    shown = _printable(name or path)
    try:
        # looked at before it is opened: opening a device may already do something
        descriptor = _open(path) if stat.S_ISREG(os.stat(path).st_mode) else None
        if descriptor is None:
            return None, _not_regular(path, shown, span)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None, _not_regular(path, shown, span)
            data = _read_up_to(descriptor, limit + 1)
        finally:
            os.close(descriptor)
    except OSError as fault:
        return None, _cannot_read(path, shown, span, fault)
    except ValueError as fault:  # a NUL or an unencodable character in the path
        cure = "see whether the path is right"
        return None, error(CANNOT_READ, f"cannot read `{shown}`: {fault}", span, cure)
    if len(data) > limit:
        message = f"`{shown}` is larger than {limit // 1024} KiB"
        return None, error("LR004", message, span, "see whether this is the right file")
    return data, None


def _open(path: str) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    return os.open(path, flags)


def _read_up_to(descriptor: int, size: int) -> bytes:
    chunks = []
    while size > 0 and (chunk := os.read(descriptor, min(size, 1 << 20))):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _not_regular(path: str, shown: str, span: Span) -> Diagnostic:
    mode = os.stat(path).st_mode
    kind = next((name for test, name in _KINDS if test(mode)), "not a regular file")
    return error(
        CANNOT_READ,
        f"cannot read `{shown}`: it is {kind}",
        span,
        "name a regular file" if kind != "a directory" else "name a file inside it",
    )


def _cannot_read(path: str, shown: str, span: Span, fault: OSError) -> Diagnostic:
    if fault.errno == errno.ENOENT:
        return error(
            CANNOT_READ, f"cannot read `{shown}`: no such file", span, _missing_help(path, shown)
        )
    reason = (fault.strerror or type(fault).__name__).lower()
    cure = "see who may read it" if fault.errno == errno.EACCES else "see whether the path is right"
    return error(CANNOT_READ, f"cannot read `{shown}`: {reason}", span, cure)


def _missing_help(path: str, name: str) -> str:
    """Return a near name from the same directory, or how to give a text instead."""
    if ": " in path or path.lstrip().startswith("{"):
        return "a text in place of a path needs a line break in it"
    folder, base = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            names = [
                entry.name
                for _, entry in zip(range(1000), entries, strict=False)
                if entry.name.endswith(_SUFFIXES)
            ]
    except (OSError, ValueError):
        if folder and not os.path.isdir(folder):
            return f"the directory `{_printable(folder)}` does not exist"
        return "see whether the path is right"
    near = nearest(base, sorted(names)[:200])
    stem, suffix = os.path.splitext(base)
    alike = {os.path.splitext(entry)[0]: entry for entry in names[:200]}
    if near is not None and near.endswith(suffix):  # the suffix says nothing
        best = nearest(stem, sorted(alike))
        near = near if near in (base, alike.get(best or "")) else alike.get(best or "")
    if near is None:
        return "see whether the path is right"
    return f"did you mean `{os.path.join(os.path.dirname(name), _printable(near))}`?"


def _find_undecodable(data: bytes, name: str) -> Diagnostic | None:
    """Return what keeps `data` from being UTF-8 text, with its place."""
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    wide = _sniff_utf16(data)
    if wide:
        return error("LR002", f"the file is {wide}, not UTF-8", _top(name), "save it as UTF-8")
    try:
        data.decode()
        offset, what = data.find(b"\0"), "a NUL byte"
        if offset < 0:
            return None
    except UnicodeDecodeError as fault:
        offset, what = fault.start, f"byte 0x{data[fault.start]:02x}"
    before = data[start:offset].decode(errors="replace")
    line, column = Lines(before).place(len(before))
    span = Span(name, line, column, line, column + 1)
    if b"\0" in data[:4096]:
        return error("LR002", f"not a text file: {what} found", span, "name a text file")
    return error("LR002", f"{what} is not UTF-8", span, "save the file as UTF-8")


def _sniff_utf16(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    head = data[:64]
    # ASCII text in UTF-16 has a zero in every second byte
    pairs = len(head) // 2
    if pairs >= 2:
        odd, even = head[1 : pairs * 2 : 2], head[0 : pairs * 2 : 2]
        for zeros, others in ((odd, even), (even, odd)):
            if not any(zeros) and all(others):
                return "UTF-16"
    return None


def _top(name: str) -> Span:
    return Span(name, 1, 1, 1, 1)


def _printable(name: str) -> str:
    """Return a file name that any stream can show."""
    return name.encode("utf-8", "backslashreplace").decode()
