"""`logroute spool`: what waits on disk, for people."""

import json
import os

import pytest
from cli_kit import logroute
from spool_kit import frames_in, kill, numbered, put, segments, spool

from logroute.receivers import TcpReceiver


def leave(path, *payloads, levelno=20):
    """Leave records behind as a killed process does."""
    queue = spool(path, adopts=False)
    put(queue, *payloads, levelno=levelno)
    series = queue.store.reader.series
    kill(queue)
    return series


def rot(path):
    data = bytearray(path.read_bytes())
    data[frames_in(path)[0][0] + 30] ^= 1
    path.write_bytes(data)


def config(path, *handlers):
    lines = "".join(f"  {line}\n" for line in handlers)
    text = f"version: 1\nhandlers:\n{lines}root: {{level: INFO}}\nroutes: []\n"
    (path / "a.yaml").write_text(text)
    return str(path / "a.yaml")


def test_ls_tells_what_waits(tmp_path):
    """One line a spool, one line a series: owner, records, bytes, age."""
    series = leave(tmp_path, *numbered(3))
    code, out, err = logroute("spool", "ls", tmp_path, cwd=tmp_path)
    assert (code, err) == (0, "")
    first, heads, row = out.splitlines()
    assert first == "h: 3 records, 120 B"
    assert heads.split()[:4] == ["series", "owner", "segments", "records"]
    assert row.split()[:6] == [series, "none", f"({os.getpid()}", "is", "gone)", "1"]


def test_ls_knows_the_living(tmp_path):
    """A series that a process has locked shows that process; nothing is disturbed."""
    queue = spool(tmp_path)
    put(queue, *numbered(2))
    queue.delivered(len(queue.take(1, 100)))
    code, out, _ = logroute("spool", "ls", tmp_path / "h", "--format", "json")
    ((series,),) = [found["series"] for found in json.loads(out)["spools"]]
    assert code == 0
    assert (series["owner"], series["pid"], series["records"]) == (os.getpid(), os.getpid(), 1)
    assert queue.take(5, 100) == [(b"1:", 20, 2)]
    queue.close("shutdown")


def test_ls_finds_damage(tmp_path):
    """A piece that is no record is a finding: exit code 1, and counted."""
    leave(tmp_path, *numbered(3))
    rot(segments(tmp_path)[0])
    code, out, _ = logroute("spool", "ls", tmp_path, cwd=tmp_path)
    assert code == 1 and out.startswith("h: 2 records, 120 B, 1 damaged piece\n")
    spool(tmp_path).chores()
    _, out, _ = logroute("spool", "ls", tmp_path, "--format", "json")
    assert json.loads(out)["spools"][0]["series"][0]["damaged"] == 1


def test_ls_of_a_missing_folder(tmp_path):
    """What is not there cannot be listed: exit code 2, and one line that says so."""
    code, out, err = logroute("spool", "ls", tmp_path / "none")
    assert (code, out) == (2, "") and err.count("\n") == 1 and "No such file" in err
    code, out, _ = logroute("spool", "ls", tmp_path)
    assert (code, out) == (0, "nothing is spooled here\n")


def test_ls_tells_missing_numbers(tmp_path):
    """A segment that lost its middle shows how many records are missing."""
    leave(tmp_path, *numbered(5))
    path = segments(tmp_path)[0]
    frames, data = frames_in(path), path.read_bytes()
    path.write_bytes(data[: frames[1][0]] + data[frames[3][0] :])
    _, out, _ = logroute("spool", "ls", tmp_path, "--format", "json")
    series = json.loads(out)["spools"][0]["series"][0]
    assert (series["records"], series["missing"]) == (3, 2)


def test_cat_prints_what_waits(tmp_path):
    """Time, level and text of each record, oldest first."""
    leave(tmp_path, b"one\n", b"two\n", levelno=40)
    code, out, err = logroute("spool", "cat", tmp_path)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["ERROR one", "ERROR two"]
    assert lines[0][:2] == "20" and lines[0].split()[0].endswith("Z")


def test_cat_cannot_drive_a_terminal(tmp_path):
    """S8: control characters, escapes and line breaks in a record are shown, not obeyed."""
    leave(tmp_path, b"a\x1b[2Jb\x07\r\nforged\x9b\xff\xe2\x80\xae")
    code, out, _ = logroute("spool", "cat", tmp_path)
    assert code == 0 and out.count("\n") == 1
    assert out.rstrip("\n").isprintable()
    assert r"a\x1b[2Jb\x07\r\nforged" in out


def test_cat_as_json(tmp_path):
    """One object a line; bytes that are no text come in base64."""
    series = leave(tmp_path, b'{"a": 1}\n', b"\xff\x00")
    code, out, _ = logroute("spool", "cat", tmp_path, "--format", "json")
    first, second = map(json.loads, out.splitlines())
    assert code == 0
    assert (first["series"], first["number"], first["level"]) == (series, 1, "INFO")
    assert first["payload"] == '{"a": 1}\n' and not first["delivered"]
    assert second["payload_base64"] == "/wA="


def test_cat_leaves_out_what_is_delivered(tmp_path):
    """What is acknowledged is shown with --all alone, though it is still in the file."""
    queue = spool(tmp_path)
    put(queue, *numbered(3))
    queue.delivered(len(queue.take(2, 100)))
    kill(queue)
    assert len(logroute("spool", "cat", tmp_path)[1].splitlines()) == 1
    assert len(logroute("spool", "cat", tmp_path, "--all")[1].splitlines()) == 3
    assert len(logroute("spool", "cat", tmp_path, "--all", "--limit", "2")[1].splitlines()) == 2


def test_cat_of_one_series(tmp_path):
    """A series can be chosen; one that is not there is told."""
    first, second = leave(tmp_path, b"one"), leave(tmp_path, b"two")
    assert first != second
    for series, text in ((first, "one"), (second, "two")):
        _, out, _ = logroute("spool", "cat", tmp_path, "--series", series)
        assert [line.split()[-1] for line in out.splitlines()] == [text]
    assert logroute("spool", "cat", tmp_path, "--series", "x")[0] == 2


def test_replay_delivers_what_the_dead_left(tmp_path):
    """Records arrive as they were formatted; afterwards the spool is empty."""
    leave(tmp_path, *[b'{"n": %d}\n' % n for n in range(30)])
    with TcpReceiver() as tcp:
        file = config(tmp_path, f"h: {{type: socket, address: '{tcp.address}'}}")
        arguments = ("spool", "replay", tmp_path, "--config", file, "--handler", "h")
        code, out, err = logroute(*arguments)
        assert (code, err) == (0, "") and out == "30 records delivered through `h`\n"
        tcp.wait_for(30)
    assert [json.loads(item) for item in _lines(tcp)] == [{"n": n} for n in range(30)]
    assert logroute("spool", "ls", tmp_path)[1] == "nothing is spooled here\n"


def _lines(tcp):
    return [getattr(item, "data", item) for item in tcp.received]


def test_replay_keeps_what_cannot_be_delivered(tmp_path):
    """A destination that is down leaves all where it is: exit code 2, and why."""
    leave(tmp_path, *numbered(3))
    file = config(tmp_path, "h: {type: socket, address: '127.0.0.1:1'}")
    code, out, _ = logroute("spool", "replay", tmp_path, "--config", file, "--handler", "h")
    assert code == 2
    assert out.startswith("0 records delivered through `h`\n3 records left in the spool: ")
    assert "refused" in out
    assert "3 records" in logroute("spool", "ls", tmp_path)[1]


def test_replay_leaves_the_living_alone(tmp_path):
    """What a living process has spooled it delivers itself."""
    queue = spool(tmp_path)
    put(queue, *numbered(2))
    file = config(tmp_path, "h: {type: file, path: out.log}")
    arguments = ("spool", "replay", tmp_path, "--config", file, "--handler", "h")
    code, out, _ = logroute(*arguments, cwd=tmp_path)
    assert code == 1 and f"pid {os.getpid()} is alive and delivers its 2 records itself" in out
    assert not (tmp_path / "out.log").exists()
    assert [payload for payload, _, _ in queue.take(5, 100)] == numbered(2)
    queue.close("shutdown")


@pytest.mark.parametrize(
    ("handlers", "said"),
    [
        (["g: {type: 'null'}"], "has no handler `h`"),
        (["h: {class: logging.NullHandler}"], "takes records"),
    ],
)
def test_replay_needs_a_fitting_handler(tmp_path, handlers, said):
    """A handler that is not there, or takes no bytes, is told; nothing is touched."""
    leave(tmp_path, b"one")
    file = config(tmp_path, *handlers)
    code, _, err = logroute("spool", "replay", tmp_path, "--config", file, "--handler", "h")
    assert code == 2 and said in err
    assert "1 record" in logroute("spool", "ls", tmp_path)[1]


def test_drop_asks(tmp_path):
    """Without a terminal and without --yes nothing is dropped."""
    leave(tmp_path, *numbered(3))
    code, _, err = logroute("spool", "drop", tmp_path)
    assert code == 2 and "drop 3 records of 1 series? Say so with --yes" in err
    assert len(segments(tmp_path)) == 1
    assert logroute("spool", "drop", tmp_path, "--yes")[:2] == (0, "3 records dropped\n")
    assert list((tmp_path / "h").iterdir()) == []


def test_drop_spares_the_living(tmp_path):
    """Records of a living process stay; those of dead ones go."""
    leave(tmp_path, *numbered(3))
    queue = spool(tmp_path, adopts=False)
    put(queue, b"mine")
    code, out, _ = logroute("spool", "drop", tmp_path, "--yes")
    assert code == 1 and out.startswith("3 records dropped\n") and "is alive" in out
    assert [payload for payload, _, _ in queue.take(5, 100)] == [b"mine"]
    queue.close("shutdown")


def test_drop_of_damaged_pieces(tmp_path):
    """What was set aside can be removed, by itself."""
    leave(tmp_path, *numbered(3))
    rot(segments(tmp_path)[0])
    queue = spool(tmp_path)
    assert len(queue.take(5, 100)) == 2
    queue.close("shutdown")
    code, out, _ = logroute("spool", "drop", tmp_path, "--damaged", "--yes")
    assert (code, out) == (0, "1 damaged piece dropped\n")
    assert not (tmp_path / "h" / "damaged").exists() and len(segments(tmp_path)) == 1


def test_unsafe_folder_is_refused(tmp_path):
    """A folder that others can write to is not trusted."""
    leave(tmp_path, b"one")
    (tmp_path / "h").chmod(0o777)
    code, out, err = logroute("spool", "cat", tmp_path)
    assert (code, out) == (2, "") and "chmod 700" in err and "Traceback" not in err


@pytest.mark.parametrize("arguments", [(), ("lst", "x"), ("ls",), ("replay", "x")])
def test_usage_is_told(arguments):
    """A missing or misspelt part is said in one line, with code 2."""
    code, out, err = logroute("spool", *arguments)
    assert (code, out) == (2, "") and "Traceback" not in err and "--help" in err
