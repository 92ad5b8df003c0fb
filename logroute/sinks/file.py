"""The `file` kind: lines appended to a file, put away by size and time.

One raw descriptor, opened O_APPEND, written by the one worker that owns it. The
descriptor and the path are looked at before each batch: a file that was moved,
deleted or replaced is opened again, and a descriptor number that somebody else
got meanwhile is neither written to nor closed. Where files rotate, or several
processes write one, each batch is written under a lock on the file; the parts are
in `logroute/sinks/files/`.
"""

import contextlib
import errno
import functools
import logging
import os
from collections.abc import Sequence

from logroute.errors import Rejected, Retryable
from logroute.framing import Framing
from logroute.light import TYPE_CHECKING, Annotated, Literal
from logroute.options import Duration, Opt, Size, Spec
from logroute.shapes import Parsed
from logroute.sinks import Encoder, Format, SinkSpec, reads_of
from logroute.sinks.descriptor import Writer
from logroute.sinks.files.place import Place
from logroute.units import DURATION_PATTERN, parse_duration

if TYPE_CHECKING:
    from logroute.sinks.files.rotation import Rotation
    from logroute.sinks.files.turn import Hold

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
    rotate: Annotated[
        RotateSpec | None, Opt("When to begin a new file, and what becomes of the old ones.")
    ] = None
    shared: Annotated[bool, Opt("Several processes write the file.")] = False

    def encoder(self, format: Format) -> Encoder:
        """Return an encoder to lines."""
        encoding = self.encoding
        if encoding == "utf-8":
            return functools.partial(_encode_utf8, format)
        return lambda record: f"{format(record)}\n".encode(encoding, "backslashreplace")

    def frame(self) -> Framing | None:
        """Return that of lines, in UTF-8."""
        return Framing() if self.encoding == "utf-8" else None

    def reads(self, format: Format) -> frozenset[str] | None:
        """Return what the formatter reads."""
        return reads_of(format)

    def sink(self) -> "FileSink":
        """Return a sink for the path as it is meant now, whatever `chdir` does later."""
        path = os.path.abspath(os.path.expanduser(self.path))
        return FileSink(
            path,
            mode=self.mode,
            create_dirs=self.create_dirs,
            rotation=None if self.rotate is None else _rotation(path, self.rotate),
            is_shared=self.shared,
            end="\n".encode(self.encoding),
        )


def _encode_utf8(format: Format, record: logging.LogRecord) -> bytes:
    line = f"{format(record)}\n"
    try:
        return line.encode()  # half the price of naming an encoding and a way out
    except UnicodeEncodeError:
        return line.encode("utf-8", "backslashreplace")


def _rotation(path: str, spec: RotateSpec) -> "Rotation":
    from logroute.sinks.files.rotation import Rotation
    from logroute.sinks.files.upkeep import Limits

    keep = spec.keep
    limits = (
        Limits(keep.count, keep.age, keep.total) if isinstance(keep, KeepSpec) else Limits(keep)
    )
    return Rotation(
        path, size_bytes=spec.size, every=spec.every, limits=limits, compress=spec.compress
    )


#: So often in a row a file may move on under a batch before it is written regardless.
_MOST_MOVES = 100
#: How long `close` waits for a compression that is under way.
_FINISH_S = 1.0


class FileSink:
    """Appends to one file, and follows its name.

    What cannot be done without losing records is told by a `Retryable` that says
    that the whole batch is delivered: a rotation that failed, a folder that is
    full. It is told once, until it works again.
    """

    def __init__(
        self,
        path: str,
        *,
        mode: int = 0o644,
        create_dirs: bool = True,
        rotation: "Rotation | None" = None,
        is_shared: bool = False,
        end: bytes = b"\n",
    ) -> None:
        """Write to the absolute `path`, made with `mode` where it is missing.

        Args:
            path: where to write.
            mode: permissions of a new file, less the umask.
            create_dirs: make missing directories above it.
            rotation: when to put the file away; None: never.
            is_shared: other processes write it, too.
            end: what each payload ends with.
        """
        self._place = Place(path, mode, create_dirs, is_read=is_shared)
        self._writer = Writer()
        self._rotation = rotation
        self._is_shared = is_shared
        self._end = end
        self._pid = os.getpid()  # what is torn is the parent's to end, in a forked child
        self._told: dict[str, str] = {}
        self._untold: list[str] = []
        self._turn = None
        if rotation is not None or is_shared:
            from logroute.sinks.files.turn import Turn

            self._turn = Turn()

    def open(self) -> None:
        """Open the file, unless the open one is still what the path names."""
        if self._place.follow():
            self._writer = Writer()  # a torn line stays in the file it began in
            if self._rotation is not None:
                self._rotation.begin()

    def send(self, batch: Sequence[bytes]) -> None:
        """Append `batch` by one write, or as many as the system and the rotation make of it."""
        at = moves = 0
        try:
            while True:
                count, fault = self._write(batch, at, moves < _MOST_MOVES)
                at += count
                moves = 0 if count else moves + 1
                if fault is not None:
                    self._fail(fault, at, len(batch))
                if at >= len(batch):
                    break
        except (Retryable, Rejected) as fault:
            fault.delivered = at
            raise
        except OSError as fault:
            self._fail(fault, at, len(batch))
        self._look_after(len(batch))

    def flush(self) -> None:
        """Hold nothing back: what was written is the system's."""

    def close(self) -> None:
        """Close the descriptor, if it is still ours; let a compression end, within bounds.

        A record of which a full disk took only the head is not delivered, and goes: the
        next start begins with a whole line.
        """
        place = self._place
        if self._writer.is_torn and place.descriptor is not None and self._pid == os.getpid():
            with contextlib.suppress(OSError):
                if place.is_ours():
                    self._writer.cut_off(place.descriptor)
        place.close()
        if self._rotation is not None:
            self._rotation.upkeep.finish(_FINISH_S)

    def _fail(self, fault: OSError, delivered: int, count: int) -> None:
        in_file = f"{delivered} of {count} records are in the file"
        text = f"`{self._place.path}`: {fault.strerror}; {in_file}"
        if fault.errno == errno.EPIPE:
            raise Rejected(text, delivered=delivered) from fault
        raise Retryable(text, delivered=delivered) from fault

    # -- one write

    def _write(self, batch: Sequence[bytes], at: int, may_move: bool) -> tuple[int, OSError | None]:
        """Write what of `batch` goes into the file at hand; 0 records: look again."""
        self.open()
        place = self._place
        assert place.descriptor is not None
        if self._turn is None or not place.is_regular:
            return self._writer.write(place.descriptor, batch[at:] if at else batch)
        descriptor = place.descriptor
        hold = self._turn.take(descriptor)
        try:
            is_there = place.is_at_path()
            if may_move and not is_there and place.adrift is None:
                return 0, None  # put away by somebody else meanwhile
            return self._write_in_turn(descriptor, batch, at, hold, may_move and is_there)
        finally:
            if hold == "held":
                self._turn.leave(descriptor)

    def _write_in_turn(
        self, descriptor: int, batch: Sequence[bytes], at: int, hold: "Hold", may_move: bool
    ) -> tuple[int, OSError | None]:
        end, rotation = len(batch), self._rotation
        status = os.fstat(descriptor)
        if rotation is not None and at < end:
            is_due = rotation.is_due(status, len(batch[at])) and not self._writer.is_torn
            if is_due and may_move and hold != "busy" and self._put_away():
                return 0, None
            end = rotation.end_of_fit(status.st_size, batch, at)
        size = status.st_size
        if self._is_shared and size and self._place.is_readable and not self._writer.is_torn:
            size += self._end_line(descriptor, size)
        count, fault = self._writer.write(descriptor, batch[at:end])
        if rotation is not None and count:
            rotation.wrote()
        if fault is not None and hold == "held":
            self._cut_off(descriptor, size + sum(map(len, batch[at : at + count])))
        return count, fault

    def _put_away(self) -> bool:
        assert self._rotation is not None
        try:
            self._rotation.put_away()
        except OSError as fault:
            text = f"cannot rotate `{self._place.path}`: {fault.strerror}; it is written on"
            self._tell("rotation", text)
            return False
        self._told.pop("rotation", None)
        return True

    def _end_line(self, descriptor: int, size: int) -> int:
        """End the line that a writer tore who was killed as it wrote; return what was added."""
        length = len(self._end)
        if os.pread(descriptor, length, max(0, size - length)) == self._end:
            return 0
        return os.write(descriptor, self._end)

    def _cut_off(self, descriptor: int, whole_bytes: int) -> None:
        """Take back a record that is there in part: others write behind it next.

        Only where nobody, lock or not, has written behind it already.
        """
        torn = self._writer.torn_bytes
        with contextlib.suppress(OSError):
            if torn and os.fstat(descriptor).st_size == whole_bytes + torn:
                os.ftruncate(descriptor, whole_bytes)
                self._writer.forget()
        if self._is_shared and self._place.is_readable:
            self._writer.forget()  # whoever writes next ends its line

    # -- telling

    def _tell(self, subject: str, text: str) -> None:
        """Keep `text` for the end of the batch, unless it was told already."""
        if self._told.get(subject) != text:
            self._told[subject] = text
            self._untold.append(text)

    def _look_after(self, count: int) -> None:
        """Have rotated files looked after; tell what is wrong though all is written."""
        upkeep = None if self._rotation is None else self._rotation.upkeep
        if upkeep is not None:
            if upkeep.is_due and self._place.adrift is None:
                upkeep.request()
            self._tell_state("upkeep", upkeep.fault)
        adrift = self._place.adrift
        text = None if adrift is None else f"{adrift}; the file that was moved is written on"
        self._tell_state("place", text)
        if self._untold:
            text = "; ".join(self._untold)
            self._untold.clear()
            raise Retryable(text, delivered=count)

    def _tell_state(self, subject: str, text: str | None) -> None:
        if text:
            self._tell(subject, text)
        else:
            self._told.pop(subject, None)
