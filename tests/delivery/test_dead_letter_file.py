"""The dead letter file: JSON lines, private, bounded."""

import fcntl
import json
import os
import stat

import pytest

from logroute.delivery.deadletter import DeadLetters
from logroute.delivery.specs import DeadLetterSpec


def letters(tmp_path, **options):
    return DeadLetters(DeadLetterSpec(path=str(tmp_path / "dead.jsonl"), **options), lambda: 0.5)


def add(file, *records, **words):
    return file.add(records, **{"handler": "a", "reason": "rejected", "error": "400", **words})


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_line_tells_who_why_and_what(tmp_path):
    """A line has the time, the handler, the reason, the error and the record."""
    assert add(letters(tmp_path), b'{"message": "x"}', error='he said "no"\n') == 1
    assert lines(tmp_path / "dead.jsonl") == [
        {
            "timestamp": "1970-01-01T00:00:00.500Z",
            "handler": "a",
            "reason": "rejected",
            "error": 'he said "no"\n',
            "record": {"message": "x"},
        }
    ]


def test_file_is_private(tmp_path):
    """The file is 0600, a missing folder is made 0700."""
    file = DeadLetters(DeadLetterSpec(path=str(tmp_path / "new" / "dead.jsonl")))
    add(file, b"{}")
    assert stat.S_IMODE((tmp_path / "new" / "dead.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_two_files_share_the_bound(tmp_path):
    """A full file becomes `.1`; both together stay under `max_bytes`."""
    file = letters(tmp_path, max_bytes=2000)
    for n in range(100):
        assert add(file, b'{"n": %d}' % n) == 1
        sizes = [path.stat().st_size for path in tmp_path.iterdir()]
        assert sum(sizes) <= 2000 and len(sizes) <= 2
    assert lines(tmp_path / "dead.jsonl")[-1]["record"] == {"n": 99}
    last = lines(tmp_path / "dead.jsonl.1")[-1]["record"]["n"]
    assert lines(tmp_path / "dead.jsonl")[0]["record"]["n"] == last + 1
    assert stat.S_IMODE((tmp_path / "dead.jsonl.1").stat().st_mode) == 0o600


def test_record_larger_than_the_file_ends_the_run(tmp_path):
    """What can never fit is left out; the caller hears how many came before it."""
    file = letters(tmp_path, max_bytes=2000)
    assert add(file, b"{}", b'{"m": "%s"}' % (b"x" * 1000), b"{}") == 1
    assert len(lines(tmp_path / "dead.jsonl")) == 1


def test_link_and_fifo_are_refused(tmp_path):
    """A link at the path is not followed, and a FIFO without reader holds nobody up."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    os.symlink(victim, tmp_path / "dead.jsonl")
    with pytest.raises(OSError):
        add(letters(tmp_path), b"{}")
    assert victim.read_text() == "mine"
    os.unlink(tmp_path / "dead.jsonl")
    os.mkfifo(tmp_path / "dead.jsonl")
    with pytest.raises(OSError):
        add(letters(tmp_path), b"{}")


def test_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    """A line that went out in part is taken back and not counted."""
    write = os.write
    file = letters(tmp_path)
    add(file, b'{"n": 1}')
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    assert add(file, b'{"n": 2}') == 0
    monkeypatch.undo()
    add(file, b'{"n": 3}')
    assert [line["record"]["n"] for line in lines(tmp_path / "dead.jsonl")] == [1, 3]


def test_other_process_at_work_is_not_waited_for(tmp_path):
    """Where another process moves the full file just now, the line goes to the old one."""
    file = letters(tmp_path, max_bytes=400)
    add(file, b"{}")
    with open(tmp_path / "dead.jsonl") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert add(file, b"{}") == 1
    assert len(lines(tmp_path / "dead.jsonl")) == 2
    assert not (tmp_path / "dead.jsonl.1").exists()


def test_file_moved_away_is_begun_again(tmp_path):
    """Nothing holds on to a file that somebody took away to look at it."""
    file = letters(tmp_path)
    add(file, b'{"n": 1}')
    os.rename(tmp_path / "dead.jsonl", tmp_path / "taken")
    add(file, b'{"n": 2}')
    assert lines(tmp_path / "dead.jsonl")[0]["record"] == {"n": 2}
