"""The spool and its disk: full, broken, unsafe, forced, and descriptors that are not ours."""

import errno
import os

import pytest
from engine_kit import adds_up
from spool_kit import Clock, FaultyDisk, drain, kill, numbered, put, segments, spool, take

from logroute.delivery.spool.disk import Descriptor
from logroute.delivery.spool.folder import Folder, folder_name
from logroute.delivery.spool.frames import body_of


@pytest.fixture
def made():
    """Make spools that are closed at the end, however the test ends."""
    queues = []

    def make(*arguments, **options):
        queues.append(spool(*arguments, **options))
        return queues[-1]

    yield make
    for queue in queues:
        queue.close("shutdown")


def bodies(count, size=100):
    return [body_of(payload, 20, 0.0) for payload in numbered(count, size=size)]


# -- full and broken


@pytest.mark.parametrize("can_cut", [True, False])
@pytest.mark.parametrize("budget", range(0, 700, 23))
def test_full_disk_says_how_many_are_whole(tmp_path, made, budget, can_cut):
    """Fault 50: exactly the records said to be on disk come back, torn ones never."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk)
    put(queue, b"before")
    disk.budget, disk.can_cut = budget, can_cut
    whole, fault = queue.append_bodies(bodies(5))
    assert fault is None or fault.errno == errno.ENOSPC
    assert whole == min(5, budget // 141)
    disk.budget = None
    assert queue.append_bodies(bodies(2)) == (2, None)
    expected = [b"before", *numbered(whole, size=100), *numbered(2, size=100)]
    assert drain(queue) == expected
    assert adds_up(queue.counts()) and queue.counts()["queued"] == 0
    assert queue.counts()["dropped"] == {}


def test_full_disk_at_the_start(tmp_path, made):
    """Fault 50: a spool that cannot even begin counts, leaves nothing, and begins later."""
    disk, clock = FaultyDisk(), Clock()
    disk.budget = 0
    queue = made(tmp_path, disk=disk, clock=clock)
    assert put(queue, *numbered(3)) == 0
    assert queue.counts()["dropped"] == {"spool_full": 3}
    assert list((tmp_path / "h").iterdir()) == []
    disk.budget = None
    clock.now += 2
    assert put(queue, b"later") == 1
    assert drain(queue) == [b"later"] and adds_up(queue.counts())


def test_torn_record_survives_no_restart(tmp_path, made):
    """Fault 50: a torn frame that could not be cut off is set aside by the next process."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk)
    put(queue, b"before")
    disk.budget, disk.can_cut = 100, False
    assert queue.append_bodies(bodies(1)).whole == 0
    disk.budget = None
    put(queue, b"after")
    kill(queue)
    again = made(tmp_path)
    assert drain(again) == [b"before", b"after"]
    assert again.counts()["damaged"] == 1


def test_cut_off_tail_is_looked_at_again(tmp_path, made):
    """Who read while a torn frame was there finds a whole one that ends at the same byte."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk)
    put(queue, b"one")

    def cut(number, length):
        assert drain(queue) == [b"one"]  # meanwhile
        os.ftruncate(number, length)

    disk.ftruncate, disk.budget = cut, 41
    assert queue.append_bodies(bodies(1)).whole == 0
    disk.budget = None
    assert put(queue, b"two") == 1
    assert segments(tmp_path)[0].stat().st_size == 2 * 41
    assert queue.waiting == 1 and drain(queue) == [b"two"]


def test_broken_disk_is_told_apart(tmp_path, made):
    """EIO while writing is counted under its own reason, and the spool goes on after it."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk)
    put(queue, b"one")

    def broken(number, data):
        raise OSError(errno.EIO, "Input/output error")

    disk.write = broken
    assert put(queue, b"two") == 0
    assert queue.counts()["dropped"] == {"spool_error": 1}
    del disk.write
    assert put(queue, b"three") == 1
    assert drain(queue) == [b"one", b"three"]


def test_segment_is_kept_until_acknowledgement_is_on_disk(tmp_path, made):
    """What is delivered goes only after its acknowledgement could be written."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk, max_bytes=8 << 10)
    put(queue, *numbered(20, size=200))
    count = len(segments(tmp_path))
    disk.ack_fault = errno.EIO
    assert len(drain(queue)) == 20
    assert len(segments(tmp_path)) == count > 2
    assert queue.take_fault().errno == errno.EIO
    assert queue.chores() <= 1
    disk.ack_fault = None
    queue.chores()
    assert len(segments(tmp_path)) == 1 and disk.removed_too_soon == []


def test_unacknowledged_orphan_is_kept(tmp_path, made):
    """A series whose acknowledgement cannot be written stays, and is removed later."""
    dead = made(tmp_path)
    put(dead, b"one")
    kill(dead)
    disk, clock = FaultyDisk(), Clock()
    disk.ack_fault = errno.EROFS
    queue = made(tmp_path, disk=disk, clock=clock)
    assert drain(queue) == [b"one"]
    assert len(segments(tmp_path)) == 1
    disk.ack_fault = None
    queue.chores()
    assert segments(tmp_path) == [] and disk.removed_too_soon == []
    assert queue.counts()["recovered"] == 1 and adds_up(queue.counts())


def test_reading_that_fails_is_tried_again(tmp_path, made):
    """While segments cannot be opened nothing is lost, and the worker does not spin."""
    clock = Clock()
    queue = made(tmp_path, clock=clock)
    put(queue, *numbered(3))
    path = segments(tmp_path)[0]
    path.chmod(0o600)
    os.rename(path, tmp_path / "aside")
    path.mkdir()  # opening it fails, though it is there
    assert take(queue) == [] and queue.waiting == 0
    path.rmdir()
    os.rename(tmp_path / "aside", path)
    clock.now += 2
    assert drain(queue) == numbered(3) and adds_up(queue.counts())


# -- forced to the disk


def test_nothing_is_forced_by_default(tmp_path, made):
    """`sync: none` leaves the page cache to the system."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk)
    put(queue, *numbered(3))
    queue.sync()
    queue.chores()
    queue.close("shutdown")
    assert disk.synced == []


def test_every_append_is_forced(tmp_path, made):
    """`sync: always` forces each append to the disk before it returns, and new files too."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk, sync="always")
    put(queue, b"one")
    assert disk.synced == ["folder", "data"]
    put(queue, b"two", b"three")
    assert disk.synced == ["folder", "data", "data"]


def test_batches_are_forced_twice_a_second(tmp_path, made):
    """`sync: batch` forces at most every half second, the last batch included."""
    disk, clock = FaultyDisk(), Clock()
    queue = made(tmp_path, disk=disk, clock=clock, sync="batch")
    for _ in range(5):
        put(queue, b"x")
    assert disk.synced == ["folder"]
    assert 0 < queue.chores() <= 0.5
    clock.now += 0.6
    queue.chores()
    assert disk.synced == ["folder", "data"]
    clock.now += 0.6
    put(queue, b"x")
    assert disk.synced == ["folder", "data", "data"]
    queue.chores()
    assert queue.chores() > 0.5  # nothing is due


def test_old_segment_is_forced_before_the_next(tmp_path, made):
    """At a rollover what is in the full segment is forced, and the new file's name."""
    disk, clock = FaultyDisk(), Clock()
    queue = made(tmp_path, disk=disk, clock=clock, sync="batch", max_bytes=8 << 10)
    put(queue, *numbered(6, size=200))
    assert len(segments(tmp_path)) == 2
    assert disk.synced == ["folder", "data", "folder"]


def test_failed_sync_is_told(tmp_path, made):
    """A disk that cannot be forced is told; what is written counts as written."""
    disk = FaultyDisk()
    queue = made(tmp_path, disk=disk, sync="always")
    put(queue, b"one")

    def broken(number):
        raise OSError(errno.EIO, "Input/output error")

    disk.fdatasync = broken
    whole, fault = queue.append_bodies(bodies(2))
    assert whole == 2 and fault.errno == errno.EIO
    assert put(queue, b"two") == 1
    del disk.fdatasync


# -- whose descriptor


def test_reused_descriptor_is_not_written(tmp_path, made):
    """Fault 57: a number that the system gave to another file gets none of our records."""
    queue = made(tmp_path)
    put(queue, b"one")
    number = queue.store.writer._fd
    other = os.open(tmp_path / "data", os.O_RDWR | os.O_CREAT)
    os.dup2(other, number)  # as after a daemonizer closed all, and the application opened
    os.close(other)
    put(queue, b"two")
    assert drain(queue) == [b"one", b"two"]
    assert (tmp_path / "data").read_bytes() == b""
    queue.close("shutdown")
    os.fstat(number)  # the application's file is still open
    os.close(number)


def test_foreign_descriptor_is_not_closed(tmp_path):
    """Fault 57: what is not ours any more is not closed either."""
    mine = Descriptor(os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT))
    other = os.open(tmp_path / "b", os.O_RDWR | os.O_CREAT)
    os.dup2(other, mine.number)
    number = mine.number
    mine.close()
    os.close(other)
    os.close(number)  # it was open


# -- who may use it


def test_files_are_private(tmp_path, made):
    """S14: folders are 0700 and files 0600, whatever the umask allows."""
    before = os.umask(0)
    try:
        queue = made(tmp_path / "new" / "spool")
        put(queue, b"one")
        take(queue)
        queue.delivered(1)
    finally:
        os.umask(before)
    folder = tmp_path / "new" / "spool" / "h"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {".seg": 0o600, ".lock": 0o600, ".ack": 0o600}


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_folder_open_to_others_is_refused(tmp_path, made, mode):
    """S14: a folder in which others may write is not used; the fault says the cure."""
    (tmp_path / "h").mkdir()
    (tmp_path / "h").chmod(mode)
    queue = made(tmp_path)
    whole, fault = queue.append_bodies(bodies(1))
    assert whole == 0 and "chmod 700" in str(fault)
    assert list((tmp_path / "h").iterdir()) == []


def test_parent_open_to_all_is_refused(tmp_path, made):
    """S14: where everybody may exchange the folder it is not created, but for /tmp and the like."""
    tmp_path.chmod(0o777)
    assert put(made(tmp_path), b"one") == 0
    assert not (tmp_path / "h").exists()
    tmp_path.chmod(0o1777)
    assert put(made(tmp_path), b"one") == 1


def test_link_is_not_followed(tmp_path, made):
    """S14: a link in place of the folder, or of a file, leads nowhere."""
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (tmp_path / "h").symlink_to(victim)
    queue = made(tmp_path)
    assert put(queue, b"one") == 0 and list(victim.iterdir()) == []
    (tmp_path / "h").unlink()
    dead = made(tmp_path)
    put(dead, b"one")
    kill(dead)
    (tmp_path / "file").write_bytes(b"precious")
    ack = next((tmp_path / "h").glob("*.ack"))
    ack.unlink()
    ack.symlink_to(tmp_path / "file")
    again = made(tmp_path)
    drain(again)
    again.close("shutdown")
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_folder_of_another_user_is_refused(tmp_path, made, monkeypatch):
    """S14: a folder that belongs to somebody else is not used, by the superuser neither."""
    (tmp_path / "h").mkdir(mode=0o700)
    owner = (tmp_path / "h").stat().st_uid
    folder = Folder(str(tmp_path / "h"), is_for_root=True)
    for user in (owner + 1, 0 if owner else 1):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        whole, fault = made(tmp_path).append_bodies(bodies(1))
        assert whole == 0 and f"belongs to user {owner}" in str(fault)
        if user:
            with pytest.raises(PermissionError), folder.opened():
                pass


def test_fifo_does_not_hang(tmp_path, made):
    """A FIFO named as a segment or a lock is passed over."""
    put(made(tmp_path), b"own")
    os.mkfifo(tmp_path / "h" / "00000000-1-1-00000001.00000001.seg")
    os.mkfifo(tmp_path / "h" / "00000000-1-1-00000001.lock")
    assert drain(made(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ops-mail", "ops-mail"),
        ("../../etc", "%2e.%2f..%2fetc"),
        ("a b/c", "a%20b%2fc"),
        ("", "%"),
        (".", "%2e"),
        ("käse", "k%e4se"),
    ],
)
def test_handler_names_stay_inside(name, expected):
    """S15: whatever a handler is called, its folder is one plain name."""
    assert folder_name(name) == expected
    assert len(folder_name(name * 100)) <= 100
