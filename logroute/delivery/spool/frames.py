"""The bytes of a spool: frames in segments, and the record in a frame. Pure.

A frame, all numbers big-endian::

    magic 4 | length 4 | crc32 4 | seq 8 | body ...

`length` is that of the body. The checksum covers length, seq and body, and begins
with a number made of the name of the series; the magic is made of it too. So bytes
that somebody logs, however they look, are no frame of this series: not even behind
a torn frame does a reader take a piece of a message for a record.

A body::

    version 1 | parts 1 | level 4 | time 8 | size 4 | payload ... | packed record ...

`size` is that of the payload; the packed record is there if bit 0 of `parts` is set.
CRC-32 tells damage, not malice: whoever can write into the folder can forge records.
"""

import struct
import zlib

from logroute.light import NamedTuple

__all__ = [
    "COVERED",
    "HEAD",
    "HEAD_SIZE",
    "Damage",
    "Frame",
    "Key",
    "Spooled",
    "body_of",
    "frame_of",
    "is_record",
    "key_of",
    "level_in",
    "open_body",
]

#: Magic, length, checksum, number.
HEAD = struct.Struct(">4sIIQ")
#: What the checksum covers before the body.
COVERED = struct.Struct(">IQ")
_BODY = struct.Struct(">BBidI")
_BODY_SIZE = _BODY.size
# By names of their own, since threads that log call them.
_pack_body, _pack_head = _BODY.pack, HEAD.pack
_pack_covered, _crc32 = COVERED.pack, zlib.crc32
_LEVEL = struct.Struct(">i")
_SIZE = struct.Struct(">I")
HEAD_SIZE = HEAD.size
VERSION = 1
_HAS_RECORD = 1
_LOWEST, _HIGHEST = -(1 << 31), (1 << 31) - 1


class Key(NamedTuple):
    """What tells the frames of one series from all other bytes."""

    magic: bytes
    seed: int


class Frame(NamedTuple):
    """A whole frame in a segment, from `at` to before `end`."""

    at: int
    end: int
    seq: int
    body: bytes


class Damage(NamedTuple):
    """Bytes in a segment that are no frame; `reason` is ``damaged`` or ``torn`` (at its end)."""

    at: int
    end: int
    reason: str


class Spooled(NamedTuple):
    """A record as it lies in a spool.

    Attributes:
        payload: what the sink gets.
        levelno: its level.
        time: seconds since 1970 at which it was spooled.
        record: the packed record, where somebody may still need it; else empty.
    """

    payload: bytes
    levelno: int
    time: float
    record: bytes


def key_of(series: str) -> Key:
    """Return the key of a series, made of its name, which has 32 random bits."""
    name = series.encode("ascii", "backslashreplace")
    # 0xff stands in no UTF-8 text, and only once here, so that a search goes fast
    tail = bytes(min(byte, 0xFE) for byte in zlib.crc32(b"magic:" + name).to_bytes(4, "big")[1:])
    return Key(b"\xff" + tail, zlib.crc32(name))


def body_of(payload: bytes, levelno: int, time: float, record: bytes = b"") -> bytes:
    """Return the body of a frame."""
    if not _LOWEST <= levelno <= _HIGHEST:
        levelno = min(max(levelno, _LOWEST), _HIGHEST)
    if record:
        return _BODY.pack(VERSION, _HAS_RECORD, levelno, time, len(payload)) + payload + record
    return _pack_body(VERSION, 0, levelno, time, len(payload)) + payload


def open_body(body: bytes) -> Spooled:
    """Return what `body_of` put together.

    Raises:
        ValueError: another version wrote it.
    """
    if len(body) < _BODY_SIZE or body[0] != VERSION:
        raise ValueError("not a record of this version")
    _, parts, level, time, size = _BODY.unpack_from(body)
    if size == len(body) - _BODY_SIZE:
        return Spooled(body[_BODY_SIZE:], level, time, b"")
    cut = _BODY_SIZE + size
    if cut > len(body):
        raise ValueError("the payload is not all there")
    return Spooled(body[_BODY_SIZE:cut], level, time, body[cut:] if parts & _HAS_RECORD else b"")


def is_record(body: bytes) -> bool:
    """Return whether `open_body` can open it."""
    return (
        len(body) >= _BODY_SIZE
        and body[0] == VERSION
        and _SIZE.unpack_from(body, _BODY_SIZE - _SIZE.size)[0] <= len(body) - _BODY_SIZE
    )


def level_in(body: bytes) -> int:
    """Return the level in what `body_of` put together."""
    level: int = _LEVEL.unpack_from(body, 2)[0]
    return level


def frame_of(key: Key, seq: int, body: bytes) -> bytes:
    """Return `body` as a frame."""
    size = len(body)
    magic, seed = key
    crc = _crc32(body, _crc32(_pack_covered(size, seq), seed))
    return _pack_head(magic, size, crc, seq) + body
