"""The `file` kind: lines appended to a file.

One raw descriptor, opened O_APPEND, written by the one worker that owns it. The
descriptor and the path are looked at before each batch: a file that was moved,
deleted or replaced is opened again, and a descriptor number that somebody else
got meanwhile is neither written to nor closed.
"""

import errno
import os
import stat
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from logroute.errors import Rejected, Retryable
from logroute.options import Duration, Opt, Size, Spec
from logroute.shapes import Parsed
from logroute.sinks import Encoder, Format, SinkSpec
from logroute.sinks.descriptor import Identity, Writer, identity_of
from logroute.units import DURATION_PATTERN, parse_duration

__all__ = ["FileSink", "FileSpec", "KeepSpec", "RotateSpec"]

# Read as YAML 1.2 numbers, 0640 is 640 but 0o640 is 416; the owner of a log
# reads and writes it, so the first digit tells the two apart.
_MODE_TEXT = "0?[67][0-7]{2}"
_MODE_NUMBERS = (600, 620, 640, 644, 660, 664, 666)


def _parse_mode(value: object) -> int:
    import re

    if isinstance(value, str) and re.fullmatch(_MODE_TEXT, value):
        return int(value, 8)
    if isinstance(value, int | float) and value in _MODE_NUMBERS:
        return int(str(int(value)), 8)
    raise ValueError('must be a file mode in octal digits, such as "0640"')


_MODE = Parsed(
    "file mode",
    _parse_mode,
    {"anyOf": [{"type": "string", "pattern": f"^{_MODE_TEXT}$"}, {"enum": [*_MODE_NUMBERS]}]},
)
FileMode = Annotated[int, _MODE]

_PERIODS = ("hour", "day", "week", "month", "midnight")


def _parse_every(value: object) -> str | float:
    if isinstance(value, str) and value in _PERIODS:
        return value
    try:
        return parse_duration(value)
    except ValueError:
        raise ValueError("must be `hour`, `day`, `week`, `month` or a duration") from None


_EVERY = Parsed(
    "period",
    _parse_every,
    {
        "type": ["number", "string"],
        "minimum": 0,
        "exclusiveMaximum": 10**12,
        "pattern": f"^(?:{'|'.join(_PERIODS)})$|{DURATION_PATTERN}",
    },
)
Every = Annotated[str | float, _EVERY]


class KeepSpec(Spec):
    """Which rotated files are kept."""

    count: Annotated[int | None, Opt("Most rotated files.", minimum=0)] = None
    age: Annotated[Duration | None, Opt("Oldest rotated file.")] = None
    total: Annotated[Size | None, Opt("Most bytes of all rotated files.")] = None


class RotateSpec(Spec):
    """When a new file is begun, and what happens to the old ones."""

    size: Annotated[Size | None, Opt("Begin a new file before this many bytes.")] = None
    every: Annotated[
        Every | None, Opt("Begin a new file every `hour`, `day`, `week`, `month` or duration.")
    ] = None
    keep: Annotated[
        int | KeepSpec | None, Opt("How many rotated files to keep, or limits.", minimum=0)
    ] = None
    compress: Annotated[
        Literal["none", "gzip", "zip", "xz"], Opt("How rotated files are compressed.")
    ] = "none"


class FileSpec(SinkSpec):
    """Append lines to a file."""

    path: Annotated[str, Opt("The file; `~` is the home directory.", pattern=r"[^\x00]+")]
    encoding: Annotated[
        Literal[
            "utf-8",
            "ascii",
            "latin-1",
            "cp1252",
            "utf-16-le",
            "utf-16-be",
            "gb18030",
            "big5",
            "euc-jp",
            "euc-kr",
            "shift_jis",
        ],
        Opt("Encoding of the text; what it lacks is written as `\\xNN` or `\\uNNNN`."),
    ] = "utf-8"
    mode: Annotated[FileMode, Opt('Permissions of a new file, less the umask, such as "0640".')] = (
        0o644
    )
    create_dirs: Annotated[bool, Opt("Create missing directories above the file.")] = True
    rotate: Annotated[RotateSpec | None, Opt("When to begin a new file.", planned=True)] = None
    shared: Annotated[bool, Opt("Several processes write the file.", planned=True)] = False

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to lines."""
        encoding = self.encoding
        return lambda record: f"{format(record)}\n".encode(encoding, "backslashreplace")

    def sink(self) -> "FileSink":
        """Return a sink for the path as it is meant now, whatever `chdir` does later."""
        path = os.path.abspath(os.path.expanduser(self.path))
        return FileSink(path, mode=self.mode, create_dirs=self.create_dirs)


class FileSink:
    """Appends to one file, and follows its name."""

    def __init__(self, path: str, *, mode: int = 0o644, create_dirs: bool = True) -> None:
        """Write to the absolute `path`, made with `mode` where it is missing."""
        self._path = path
        self._mode = mode
        self._create_dirs = create_dirs
        self._descriptor: int | None = None
        self._identity: Identity = (-1, -1)
        self._writer = Writer()

    def open(self) -> None:
        """Open the file, unless the open one is still what the path names."""
        if self._descriptor is not None and not self._is_ours():
            self._descriptor = None  # its number belongs to somebody else now
        if self._descriptor is not None and not self._is_at_path():
            self.close()
        if self._descriptor is None:
            self._descriptor = self._open_new()

    def send(self, batch: Sequence[bytes]) -> None:
        """Append `batch` by one write, or as many as the system makes of it."""
        self.open()
        assert self._descriptor is not None
        delivered, fault = self._writer.write(self._descriptor, batch)
        if fault is None:
            return
        text = (
            f"`{self._path}`: {fault.strerror}; {delivered} of {len(batch)} records are in the file"
        )
        if fault.errno == errno.EPIPE:
            raise Rejected(text, delivered=delivered) from fault
        raise Retryable(text, delivered=delivered) from fault

    def flush(self) -> None:
        """Hold nothing back: what was written is the system's."""

    def close(self) -> None:
        """Close the descriptor, if it is still ours."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None and self._is_ours(descriptor):
            os.close(descriptor)

    def _is_ours(self, descriptor: int | None = None) -> bool:
        number = self._descriptor if descriptor is None else descriptor
        assert number is not None
        try:
            return identity_of(os.fstat(number)) == self._identity
        except OSError:  # closed behind our back
            return False

    def _is_at_path(self) -> bool:
        try:
            return identity_of(os.stat(self._path)) == self._identity
        except OSError:
            return False

    def _open_new(self) -> int:
        try:
            descriptor = self._open_path()
        except OSError as fault:
            if fault.errno in (errno.EISDIR, errno.ENXIO):
                what = "a directory" if fault.errno == errno.EISDIR else "a FIFO or a socket"
                raise Rejected(f"`{self._path}` is {what}, not a file") from fault
            text = f"cannot open `{self._path}`: {fault.strerror}"
            if fault.errno in (errno.EACCES, errno.EPERM):
                text += f" (for user {os.geteuid()}, group {os.getegid()})"
            raise Retryable(text) from fault
        status = os.fstat(descriptor)
        if stat.S_ISFIFO(status.st_mode) and _has_name(self._path):
            os.close(descriptor)
            raise Rejected(f"`{self._path}` is a FIFO, not a file")
        if identity_of(status) != self._identity:
            # A torn line stays in the file it began in.
            self._identity, self._writer = identity_of(status), Writer()
        return descriptor

    def _open_path(self) -> int:
        # O_NONBLOCK: a FIFO without a reader must not hold up the worker.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            return os.open(self._path, flags, self._mode)
        except FileNotFoundError:
            if not self._create_dirs:
                raise
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        return os.open(self._path, flags, self._mode)


def _has_name(path: str) -> bool:
    """Tell a FIFO in the file system from a pipe reached through /dev/stdout."""
    target: Any = os.path.realpath(path)
    return not target.startswith("/proc/")
