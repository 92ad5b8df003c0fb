"""Rotation: when a file is put away, under which name, and what stays where it was."""

import itertools
import logging
import os
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import yaml

import logroute
from logroute.config.load import load
from logroute.errors import Rejected, Retryable
from logroute.sinks.file import FileSink, FileSpec, KeepSpec, RotateSpec
from logroute.sinks.files.names import Family
from logroute.sinks.files.rotation import Rotation
from logroute.sinks.files.schedule import period_of, stamp_of

TODAY = "2031-05-14"


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    """Local time with summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Clock:
    """A clock that is set by local time, later than any mtime of the test."""

    def __init__(self, text=f"{TODAY} 12:00"):
        self.set(text)

    def set(self, text):
        self.now_s = datetime.fromisoformat(text).timestamp()

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "app.log"


@pytest.fixture
def make(path, clock):
    """Make sinks of the path; close them in the end."""
    made = []

    def make(target=None, **options):
        name = str(target or path)
        made.append(FileSink(name, rotation=Rotation(name, clock=clock, **options)))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def content(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


# -- by size


def test_batch_is_split_at_the_size(make, tmp_path):
    """No file grows beyond the size, however big a batch is."""
    make(size_bytes=10).send([b"1234\n"] * 5)
    assert content(tmp_path) == {
        "app.log": b"1234\n",
        f"app.log.{TODAY}": b"1234\n1234\n",
        f"app.log.{TODAY}_002": b"1234\n1234\n",
    }


def test_single_record_may_exceed_the_size(make, tmp_path):
    """A record that is too long for any file has one for itself."""
    make(size_bytes=10).send([b"1\n", b"a very long line\n", b"2\n"])
    assert list(content(tmp_path).values()) == [b"2\n", b"1\n", b"a very long line\n"]


def test_what_is_there_counts(make, path, tmp_path):
    """A restarted process goes on in the file, and counts what it holds."""
    path.write_bytes(b"12345678\n")
    make(size_bytes=10).send([b"12\n"])
    assert list(content(tmp_path).values()) == [b"12\n", b"12345678\n"]


def test_fitting_batch_is_one_write(make, monkeypatch):
    """Rotation does not split what needs no splitting."""
    writes, write = [], os.write
    monkeypatch.setattr(os, "write", lambda *args: writes.append(1) or write(*args))
    make(size_bytes=100).send([b"1\n"] * 50)
    assert len(writes) == 1


def test_zero_means_never(make, tmp_path):
    """`size: 0` and `every: 0` rotate nothing."""
    sink = make(size_bytes=0, every=0.0)
    sink.send([b"1\n"] * 3)
    assert list(content(tmp_path)) == ["app.log"]


# -- by time


def test_first_record_of_the_day_begins_a_file(make, clock, tmp_path):
    """The file of yesterday is named after yesterday, when today has its first record."""
    sink = make(every="day")
    clock.set("2031-05-13 23:59:59")
    sink.send([b"yesterday\n"])
    clock.set("2031-05-14 08:00")
    assert list(content(tmp_path)) == ["app.log"]
    sink.send([b"today\n"])
    assert content(tmp_path) == {"app.log": b"today\n", "app.log.2031-05-13": b"yesterday\n"}


def test_restart_puts_an_old_file_away(make, clock, path, tmp_path):
    """A process that starts finds in the mtime which day the file is of."""
    path.write_bytes(b"old\n")
    os.utime(path, (0, datetime(2031, 5, 10, 22, 0).timestamp()))
    make(every="midnight").send([b"new\n"])
    assert content(tmp_path) == {"app.log": b"new\n", "app.log.2031-05-10": b"old\n"}


def test_restart_within_the_day_goes_on(make, clock, path, tmp_path):
    """The clock of rotation does not begin anew with the process."""
    path.write_bytes(b"old\n")
    os.utime(path, (0, datetime(2031, 5, 14, 0, 1).timestamp()))
    make(every="day").send([b"new\n"])
    assert content(tmp_path) == {"app.log": b"old\nnew\n"}


def test_empty_file_is_not_put_away(make, path, tmp_path):
    """A file without a byte stays, whatever its date."""
    path.touch()
    os.utime(path, (0, 0))
    make(every="hour").send([b"new\n"])
    assert content(tmp_path) == {"app.log": b"new\n"}


def test_future_mtime_rotates_nothing(make, path, tmp_path):
    """A clock that was wrong once does no harm."""
    path.write_bytes(b"old\n")
    os.utime(path, (0, datetime(2099, 1, 1).timestamp()))
    make(every="day").send([b"new\n"])
    assert content(tmp_path) == {"app.log": b"old\nnew\n"}


@pytest.mark.parametrize(
    ("every", "same", "other"),
    [
        ("hour", ["2031-05-14 12:00", "2031-05-14 12:59:59"], "2031-05-14 13:00"),
        ("day", ["2031-05-14 00:00", "2031-05-14 23:59:59"], "2031-05-15 00:00"),
        ("midnight", ["2031-05-14 00:00", "2031-05-14 23:59:59"], "2031-05-15 00:00"),
        ("week", ["2031-05-12 00:00", "2031-05-18 23:59:59"], "2031-05-19 00:00"),
        ("month", ["2031-05-01 00:00", "2031-05-31 23:59:59"], "2031-06-01 00:00"),
        (900.0, ["2031-05-14 12:15", "2031-05-14 12:29:59"], "2031-05-14 12:30"),
        (21600.0, ["2031-05-14 06:00", "2031-05-14 11:59:59"], "2031-05-14 12:00"),
        (86400.0, ["2031-05-14 00:00", "2031-05-14 23:59:59"], "2031-05-15 00:00"),
        (604800.0, ["2031-05-12 00:00", "2031-05-18 23:59:59"], "2031-05-19 00:00"),
        # the day on which clocks go forward, and the one on which they go back
        ("day", ["2031-03-30 00:00", "2031-03-30 23:59:59"], "2031-03-31 00:00"),
        ("day", ["2031-10-26 00:00", "2031-10-26 23:59:59"], "2031-10-27 00:00"),
        (21600.0, ["2031-10-26 00:00", "2031-10-26 05:59:59"], "2031-10-26 06:00"),
    ],
)
def test_periods_end_by_the_local_clock(every, same, other):
    """Hours, days, Mondays, months and full quarters of local time."""
    first, last, next_one = (
        period_of(every, datetime.fromisoformat(text).timestamp()) for text in (*same, other)
    )
    assert (first == last, next_one - last) == (True, 1)


@pytest.mark.parametrize(("every", "length_s"), [("hour", 3600), (1800.0, 1800)])
def test_hour_that_comes_twice_is_two(every, length_s):
    """When clocks go back at 3:00, periods of up to an hour last as long as ever."""
    first = datetime(2031, 10, 26, 1, 0).timestamp()
    periods = [period_of(every, first + n * length_s) for n in range(8)]
    assert periods == list(range(periods[0], periods[0] + 8))


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
@pytest.mark.parametrize("every", ["hour", "day", "week", "month", 600.0, 43200.0])
def test_periods_never_go_back(monkeypatch, zone, every):
    """In no time zone does a later moment belong to an earlier file, but in an hour sent back."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    start = 1_900_000_000
    periods = [period_of(every, start + n * 1800) for n in range(400 * 48)]
    back = sum(later < earlier for earlier, later in itertools.pairwise(periods))
    assert back <= (4 if zone == "Australia/Lord_Howe" else 0)  # half an hour, twice a year
    assert len(set(periods)) > 12


@pytest.mark.parametrize(
    ("every", "stamp"),
    [
        ("hour", "2031-05-14_09"),
        (3600.0, "2031-05-14_09"),
        (900.0, "2031-05-14_09-05"),
        ("day", TODAY),
        ("month", TODAY),
        (None, TODAY),
        (86400.0 * 2, TODAY),
    ],
)
def test_names_are_as_fine_as_periods(every, stamp):
    """Daily files carry a date; others the hour, or the minute."""
    assert stamp_of(every, datetime(2031, 5, 14, 9, 5).timestamp()) == stamp


# -- names


def test_existing_names_are_never_taken(make, tmp_path):
    """What is there stays, whoever made it, plain or compressed."""
    (tmp_path / f"app.log.{TODAY}").write_bytes(b"of somebody\n")
    (tmp_path / f"app.log.{TODAY}_002.gz").write_bytes(b"compressed\n")
    (tmp_path / f"app.log.{TODAY}_003.gz.part").write_bytes(b"half\n")
    make(size_bytes=2).send([b"1\n", b"2\n"])
    found = content(tmp_path)
    assert found[f"app.log.{TODAY}"] == b"of somebody\n"
    assert found[f"app.log.{TODAY}_002.gz"] == b"compressed\n"
    assert found[f"app.log.{TODAY}_004"] == b"1\n"


def test_names_grow_when_the_clock_goes_back(make, clock, tmp_path):
    """The order of names is that of the lines, also after the clock was set back."""
    sink = make(size_bytes=2)
    sink.send([b"1\n", b"2\n"])
    clock.set("2031-05-12 12:00")
    sink.send([b"3\n"])
    assert content(tmp_path) == {
        "app.log": b"3\n",
        f"app.log.{TODAY}": b"1\n",
        f"app.log.{TODAY}_002": b"2\n",
    }


def test_link_at_the_next_name_is_not_followed(make, tmp_path):
    """A link planted under a rotated file's name leads nowhere (S14)."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")
    (tmp_path / f"app.log.{TODAY}").symlink_to(victim)
    make(size_bytes=2).send([b"1\n", b"2\n"])
    assert victim.read_bytes() == b"precious\n"
    assert content(tmp_path)[f"app.log.{TODAY}_002"] == b"1\n"


def test_name_taken_at_the_last_moment_is_passed_over(tmp_path, monkeypatch):
    """A file that appears between looking and making is not replaced."""
    family = Family(str(tmp_path / "app.log"))
    entries, planted = Family._entries, []

    def look_then_plant(self):
        found = entries(self)
        if not planted:
            planted.append((tmp_path / f"app.log.{TODAY}").write_bytes(b"foreign\n"))
        return found

    monkeypatch.setattr(Family, "_entries", look_then_plant)
    name, descriptor = family.reserve(TODAY)
    os.close(descriptor)
    assert name.endswith("_002")
    assert (tmp_path / f"app.log.{TODAY}").read_bytes() == b"foreign\n"


def test_name_compressed_at_the_last_moment_is_passed_over(tmp_path, monkeypatch):
    """A number that somebody used and compressed meanwhile is not used twice."""
    family = Family(str(tmp_path / "app.log"))
    entries, planted = Family._entries, []

    def look_then_plant(self):
        found = entries(self)
        if not planted:
            planted.append((tmp_path / f"app.log.{TODAY}.gz").write_bytes(b"archive\n"))
        return found

    monkeypatch.setattr(Family, "_entries", look_then_plant)
    name, descriptor = family.reserve(TODAY)
    os.close(descriptor)
    assert name.endswith("_002")
    assert not (tmp_path / f"app.log.{TODAY}").exists()


def test_mode_goes_with_the_file(clock, path, tmp_path):
    """Rotated and new files have the mode of the option (S14)."""
    sink = FileSink(str(path), mode=0o600, rotation=Rotation(str(path), size_bytes=2, clock=clock))
    sink.send([b"1\n", b"2\n"])
    sink.close()
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


# -- where


def test_link_of_ours_leads_to_what_is_rotated(make, tmp_path):
    """Where the path is a link, its target is put away beside itself; the link stays."""
    real = tmp_path / "data"
    real.mkdir()
    link = tmp_path / "current.log"
    link.symlink_to(real / "app.log")
    make(link, size_bytes=2).send([b"1\n", b"2\n"])
    assert link.is_symlink() and link.read_bytes() == b"2\n"
    assert content(real) == {"app.log": b"2\n", f"app.log.{TODAY}": b"1\n"}


def test_link_of_another_user_is_refused(tmp_path):
    """Another user's link in a shared folder is not followed (S14)."""
    victim = tmp_path / "victim"
    link = tmp_path / "app.log"
    link.symlink_to(victim)
    code = f"""
import os
from logroute.errors import Rejected
from logroute.sinks.file import FileSink
lstat = os.lstat
def planted(path):
    found = list(lstat(path))
    found[4] = 4711
    return os.stat_result(found)
os.lstat = planted
try:
    FileSink({str(link)!r}).send([b"x"])
except Rejected as fault:
    print(fault)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "is a link of user 4711, which is not followed" in done.stdout
    assert not victim.exists()


def test_redirected_output_is_not_rotated(tmp_path):
    """/dev/stdout stays what the shell made of it."""
    code = """
from logroute.sinks.file import FileSpec, RotateSpec
FileSpec(path="/dev/stdout", rotate=RotateSpec(size=2)).sink().send([b"1\\n", b"2\\n", b"3\\n"])
"""
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert content(tmp_path) == {"out": b"1\n2\n3\n"}


def test_devices_are_not_rotated(make):
    """/dev/null takes all and stays."""
    make("/dev/null", size_bytes=2).send([b"1\n", b"2\n"])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_logrotate_may_rotate_too(make, path, tmp_path):
    """A file that was moved from outside is left there, and not put away again."""
    sink = make(size_bytes=4)
    sink.send([b"1\n", b"2\n"])
    path.rename(tmp_path / "app.log.1")
    sink.send([b"3\n"])
    assert content(tmp_path) == {"app.log": b"3\n", "app.log.1": b"1\n2\n"}


def test_two_sinks_rotate_one_file_once(make, tmp_path):
    """Two handlers at one file notice each other's rotation."""
    one, two = make(size_bytes=4), make(size_bytes=4)
    one.send([b"1\n"])
    two.send([b"2\n"])
    one.send([b"3\n"])
    two.send([b"4\n"])
    assert content(tmp_path) == {"app.log": b"3\n4\n", f"app.log.{TODAY}": b"1\n2\n"}


# -- when it fails


@pytest.fixture
def barred(monkeypatch):
    """Let os.rename fail while the list is not empty."""
    faults, rename = [], os.rename

    def guarded(*args):
        if faults:
            raise PermissionError(13, "Permission denied")
        return rename(*args)

    monkeypatch.setattr(os, "rename", guarded)
    return faults


def test_failed_rename_is_said_once_and_loses_nothing(make, path, tmp_path, barred):
    """Fault 54: the file is written on, with one complaint."""
    sink = make(size_bytes=4)
    barred.append(True)
    with pytest.raises(Retryable, match=r"cannot rotate .*: Permission denied; it is") as caught:
        sink.send([b"1\n", b"2\n", b"3\n"])
    assert caught.value.delivered == 3
    sink.send([b"4\n"])
    assert content(tmp_path) == {"app.log": b"1\n2\n3\n4\n"}


def test_failed_rename_is_tried_again_later(make, clock, tmp_path, barred):
    """Fault 54: when the cause is gone, the file goes, under the date it was due."""
    sink = make(every="day")
    sink.send([b"1\n"])
    clock.set("2031-05-15 00:00")
    barred.append(True)
    with pytest.raises(Retryable):
        sink.send([b"2\n"])
    barred.clear()
    sink.send([b"3\n"])  # too early
    clock.set("2031-05-15 00:01")
    sink.send([b"4\n"])
    assert content(tmp_path) == {"app.log": b"4\n", f"app.log.{TODAY}": b"1\n2\n3\n"}


def test_full_descriptor_table_keeps_the_old_file(make, tmp_path, monkeypatch):
    """Fault 58: where no new file can be opened, the one put away is written on."""
    sink, opened, is_full = make(size_bytes=4), os.open, []

    def limited(path, flags, *args, **more):
        if is_full and str(path).endswith("app.log"):
            raise OSError(24, "Too many open files")
        return opened(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", limited)
    sink.send([b"1\n", b"2\n"])
    is_full.append(True)
    with pytest.raises(Retryable, match="Too many open files; the file that was moved") as caught:
        sink.send([b"3\n"])
    assert caught.value.delivered == 1
    sink.send([b"4\n"])
    is_full.clear()
    sink.send([b"5\n"])
    assert content(tmp_path) == {"app.log": b"5\n", f"app.log.{TODAY}": b"1\n2\n3\n4\n"}


def test_deleted_file_is_not_written_on(tmp_path):
    """A file without a name is no place for records, even if no other can be opened."""
    folder = tmp_path / "logs"
    sink = FileSink(str(folder / "app.log"), create_dirs=False)
    folder.mkdir()
    sink.send([b"1\n"])
    (folder / "app.log").unlink()
    folder.rmdir()
    with pytest.raises(Retryable, match="No such file") as caught:
        sink.send([b"2\n"])
    assert caught.value.delivered == 0


def test_torn_line_is_taken_back(make, tmp_path, monkeypatch):
    """A disk that fills in the middle of a line leaves whole lines in a rotating file."""
    sink, write, script = make(size_bytes=100), os.write, [3, -1]

    def short(descriptor, data):
        count = script.pop(0) if script else len(data)
        if count < 0:
            raise OSError(28, "No space left on device")
        return write(descriptor, bytes(data)[:count])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(Retryable) as caught:
        sink.send([b"1\n", b"second\n"])
    assert (caught.value.delivered, content(tmp_path)) == (1, {"app.log": b"1\n"})
    sink.send([b"second\n"])
    assert content(tmp_path) == {"app.log": b"1\nsecond\n"}


def test_shared_writer_ends_a_torn_line(path):
    """A line torn by a writer that was killed does not swallow the next one."""
    path.write_bytes(b"1\ntor")
    sink = FileSpec(path=str(path), shared=True).sink()
    sink.send([b"2\n"])
    sink.close()
    assert path.read_bytes() == b"1\ntor\n2\n"


def test_directory_at_the_path_is_rejected(make, tmp_path):
    """A folder will never be a log, rotation or not."""
    with pytest.raises(Rejected, match="is a directory"):
        make(tmp_path, size_bytes=4).send([b"1\n"])


def test_spec_makes_what_it_says(path, tmp_path):
    """The options of a file reach the sink."""
    keep = KeepSpec(count=1, age=86_400.0, total=1000)
    spec = FileSpec(path=str(path), rotate=RotateSpec(size=2, every="week", keep=keep))
    sink = spec.sink()
    sink.send([b"1\n", b"2\n", b"3\n"])
    sink.close()
    assert sorted(content(tmp_path).values()) == [b"2\n", b"3\n"]


def test_failed_rotation_drops_no_record(path, barred, capfd):
    """Fault 54: through a whole runtime, all is delivered, and one line is on stderr."""
    logroute.configure(
        {
            "version": 1,
            "handlers": {"log": {"type": "file", "path": str(path), "rotate": {"size": 100}}},
            "root": {"level": "INFO", "handlers": ["log"]},
        }
    )
    barred.append(True)
    for n in range(200):
        logging.warning("record %d", n)
        assert n % 50 or logroute.flush(10)
    assert logroute.flush(10)
    counts = logroute.stats()["handlers"]["log"]
    assert (counts["delivered"], counts["dropped"]) == (200, {})
    assert path.read_bytes().count(b"record") == 200
    errors = capfd.readouterr().err
    assert errors.count("cannot rotate") == 1
    assert len(errors) < 2000


def test_config_of_the_manual_is_sound():
    """The example of docs/files.md passes the check without a remark."""
    text = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
    block = text.split("```yaml\n")[1].split("```")[0]
    assert load(yaml.safe_load(block), environ={}, advise=True).diagnostics == ()
