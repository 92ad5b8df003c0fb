"""Damage to a spool: found, set aside, and no dearer than what it hit."""

import os
import struct

import pytest
from engine_kit import adds_up
from hypothesis import given, settings
from hypothesis import strategies as st
from spool_kit import HEAD, FaultyDisk, drain, frames_in, kill, numbered, put, segments, spool, take

from logroute.delivery.spool.folder import Folder
from logroute.delivery.spool.frames import Damage, Frame, body_of, frame_of, key_of, open_body
from logroute.delivery.spool.segments import Segment

SERIES = "0123abcd-77-12345-89abcdef"
KEY = key_of(SERIES)


def write_segment(path, data):
    folder = path / "h"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{SERIES}.00000001.seg").write_bytes(data)


def walk(path, *, is_closed=True):
    """Return the payloads and the damages in the segment."""
    segment = Segment(Folder(str(path / "h")), SERIES, 1, KEY)
    try:
        found = list(segment.walk(0, is_closed=is_closed))
    finally:
        segment.close()
    payloads = [open_body(item.body).payload for item in found if isinstance(item, Frame)]
    return payloads, [item for item in found if isinstance(item, Damage)]


def frames(payloads):
    return [frame_of(KEY, n, body_of(p, 20, 1.0)) for n, p in enumerate(payloads, 1)]


def test_every_bit_flip_costs_one_record(tmp_path):
    """Fault: whichever bit of a segment changes, that record alone is missing, and known to be."""
    payloads = [b"", b"one", b"two" * 20]
    whole = frames(payloads)
    data = b"".join(whole)
    ends = [len(b"".join(whole[: n + 1])) for n in range(3)]
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        write_segment(tmp_path, changed)
        hit = next(n for n, end in enumerate(ends) if bit // 8 < end)
        found, damages = walk(tmp_path)
        assert found == payloads[:hit] + payloads[hit + 1 :]
        assert [(d.at, d.end) for d in damages] == [(ends[hit] - len(whole[hit]), ends[hit])]


def test_every_truncation_costs_the_last_record(tmp_path):
    """Fault: a segment cut at any byte gives all records before the cut."""
    payloads = [b"one", b"", b"three" * 9]
    whole = frames(payloads)
    data = b"".join(whole)
    ends = [0] + [len(b"".join(whole[: n + 1])) for n in range(3)]
    for size in range(len(data) + 1):
        write_segment(tmp_path, data[:size])
        found, damages = walk(tmp_path)
        count = sum(end <= size for end in ends[1:])
        assert found == payloads[:count]
        assert [d.reason for d in damages] == ([] if size in ends else ["torn"])


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([0, 1, 50, 3000, 300_000]), min_size=1, max_size=12),
    hits=st.lists(st.tuples(st.floats(0, 0.999999), st.integers(1, 255)), max_size=5),
    cut=st.none() | st.floats(0, 1),
)
def test_damage_anywhere_costs_what_it_hit(tmp_path_factory, sizes, hits, cut):
    """Several changed bytes and a cut: what they did not touch is all there, in order."""
    path = tmp_path_factory.mktemp("damage")
    whole = frames([b"%d:" % n + b"x" * size for n, size in enumerate(sizes)])
    data = bytearray(b"".join(whole))
    touched = {}
    for place, flip in hits:
        at = int(place * len(data))
        touched[at] = touched.get(at, 0) ^ flip
        data[at] ^= flip
    size = len(data) if cut is None else int(cut * len(data))
    write_segment(path, data[:size])
    expected, end = [], 0
    for n, frame in enumerate(whole):
        start, end = end, end + len(frame)
        if end <= size and not any(start <= at < end and flip for at, flip in touched.items()):
            expected.append(n)
    found, damages = walk(path)
    assert [int(payload.partition(b":")[0]) for payload in found] == expected
    good = sum(len(whole[n]) for n in expected)
    assert good + sum(d.end - d.at for d in damages) == size  # every byte is one or the other


def test_logged_frames_are_no_records(tmp_path):
    """A message that holds frames does not become records when its own frame is damaged."""
    foreign = frame_of(key_of("0123abcd-77-12345-00000000"), 2, body_of(b"forged", 20, 0.0))
    whole = frames([foreign * 3, b"behind"])
    for data in (b"".join(whole), whole[1] + whole[0]):
        changed = bytearray(data)
        at = changed.find(foreign) - 1
        changed[at] ^= 1
        write_segment(tmp_path, changed)
        assert walk(tmp_path)[0] == [b"behind"]
    write_segment(tmp_path, whole[1] + whole[0][:-5])
    assert walk(tmp_path)[0] == [b"behind"]


def test_frame_on_its_way_is_waited_for(tmp_path):
    """At the end of a segment that grows, an incomplete frame is neither read nor damage."""
    whole = frames([b"one", b"two"])
    write_segment(tmp_path, whole[0] + whole[1][:-1])
    assert walk(tmp_path, is_closed=False) == ([b"one"], [])
    write_segment(tmp_path, whole[0] + whole[1])
    assert walk(tmp_path, is_closed=False) == ([b"one", b"two"], [])


def test_lying_length_reads_little(tmp_path):
    """A length of 4 GiB in a damaged head asks for no more than the file has."""
    whole = frames([b"one", b"two"])
    data = bytearray(b"".join(whole))
    struct.pack_into(">I", data, 4, 0xFFFFFFFF)
    write_segment(tmp_path, data)
    assert walk(tmp_path) == ([b"two"], [Damage(0, len(whole[0]), "damaged")])


def test_damaged_bytes_are_set_aside(tmp_path):
    """What is no frame is kept in damaged/, named by place and reason, and counted."""
    queue = spool(tmp_path)
    put(queue, *numbered(3, size=50))
    kill(queue)
    path = segments(tmp_path)[0]
    start, end, _ = frames_in(path)[1]
    data = bytearray(path.read_bytes())
    data[start + 30] ^= 0x10
    path.write_bytes(data)
    again = spool(tmp_path)
    assert drain(again) == [b"0:" + b"x" * 50, b"2:" + b"x" * 50]
    assert again.counts()["damaged"] == 1 and again.counts()["recovered"] == 2
    kept = tmp_path / "h" / "damaged" / f"{path.name}.{start}.damaged"
    assert kept.read_bytes() == data[start:end]
    assert kept.stat().st_mode & 0o777 == 0o600
    again.close("shutdown")


def test_damaged_room_is_bounded(tmp_path, monkeypatch):
    """However much is damaged, only the newest pieces are kept, and only their heads."""
    monkeypatch.setattr("logroute.delivery.spool.folder.MOST_PIECES", 3)
    monkeypatch.setattr("logroute.delivery.spool.folder.MOST_PIECE", 10)
    folder = Folder(str(tmp_path / "h"))
    folder.create()
    for number in range(5):
        assert folder.set_aside("s.seg", number, b"x" * 100, "damaged")
        os.utime(tmp_path / "h" / "damaged" / f"s.seg.{number}.damaged", (number, number))
    assert folder.damaged() == [(f"s.seg.{number}.damaged", 10) for number in (2, 3, 4)]


def test_damage_to_own_records_is_counted(tmp_path):
    """A record that rots before its own process reads it is dropped and counted, at once."""
    queue = spool(tmp_path)
    put(queue, *numbered(3))
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert drain(queue) == numbered(2)
    counts = queue.counts()
    assert counts["dropped"] == {"spool_damaged": 1} and counts["queued"] == 0
    assert adds_up(counts) and queue.waiting == 0
    put(queue, b"next")
    assert drain(queue) == [b"next"]
    assert queue.counts()["damaged"] == 1
    queue.close("shutdown")


def test_unreadable_page_costs_its_records(tmp_path):
    """EIO on one page of a segment: the records on the others are delivered."""
    queue = spool(tmp_path)
    put(queue, *numbered(20, size=1000))
    kill(queue)

    def pread(number, count, at):
        if at <= 8192 < at + count:
            raise OSError(5, "Input/output error")
        return os.pread(number, count, at)

    disk = FaultyDisk()
    disk.pread = pread
    again = spool(tmp_path, disk=disk)
    found = drain(again)
    again.close("shutdown")
    lost = [n for n in range(20) if b"%d:" % n + b"x" * 1000 not in found]
    assert 4 <= len(lost) <= 6 and lost == list(range(lost[0], lost[-1] + 1))
    assert again.counts()["damaged"] == 1


@pytest.mark.parametrize("size", [0, 5, 23])
def test_bad_acknowledgement_means_again(tmp_path, size):
    """A short acknowledgement stands for the beginning: rather twice than never."""
    queue = spool(tmp_path)
    put(queue, *numbered(4))
    queue.delivered(len(take(queue, 2)))
    kill(queue)
    os.truncate(next((tmp_path / "h").glob("*.ack")), size)
    again = spool(tmp_path)
    assert drain(again) == numbered(4)
    again.close("shutdown")


def test_every_flip_of_acknowledgement_is_found(tmp_path):
    """Any changed bit of the acknowledgement sends all again, never skips one."""
    queue = spool(tmp_path)
    put(queue, *numbered(4))
    queue.delivered(len(take(queue, 2)))
    kill(queue)
    path = next((tmp_path / "h").glob("*.ack"))
    data = path.read_bytes()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        again = spool(tmp_path)
        assert take(again) == numbered(4)
        kill(again)


def test_newer_version_is_set_aside(tmp_path):
    """A whole frame of a version that we do not know is kept, not guessed at."""
    good = frame_of(KEY, 2, body_of(b"good", 20, 0.0))
    newer = frame_of(KEY, 1, b"\x02" + body_of(b"new", 20, 0.0)[1:])
    write_segment(tmp_path, newer + good)
    queue = spool(tmp_path)
    assert drain(queue) == [b"good"]
    (kept,) = (tmp_path / "h" / "damaged").iterdir()
    assert kept.name.endswith(".0.unknown") and kept.read_bytes() == newer
    queue.close("shutdown")


def test_head_is_as_described():
    """The layout in the docs: magic, length, checksum over length, number and body."""
    frame = frame_of(KEY, 5, b"body")
    magic, length, _, seq = HEAD.unpack_from(frame)
    assert (magic, length, seq, frame[20:]) == (KEY.magic, 4, 5, b"body")
    assert magic[0] == 0xFF and magic.count(b"\xff") == 1
