"""Watching a config file: what is noticed, what is waited for, when it ends."""

import logging
import os
import threading
import weakref

import pytest
from engine_kit import wait_until
from reload_kit import BASE, File

import logroute
from logroute.app import watch
from logroute.app.watch import Watcher

#: Often enough for a test; a change settles in two looks.
QUICK = "reload: {every: 20ms}\n"


def threads():
    return len(os.listdir("/proc/self/task"))


def stats():
    return logroute.stats()["reload"]


def is_said(outcome, count=1):
    """Wait until so many reloads have ended, the last one with `outcome`."""
    return wait_until(lambda: stats()["count"] >= count) and stats()["last"] == outcome


class Looks:
    """Knows how often a watcher looked."""

    def __init__(self, monkeypatch):
        self.count = 0
        look = Watcher._look

        def counted(watcher):
            self.count += 1
            return look(watcher)

        monkeypatch.setattr(Watcher, "_look", counted)

    def wait(self, more=4):
        target = self.count + more
        return wait_until(lambda: self.count >= target)


@pytest.fixture
def looks(monkeypatch):
    return Looks(monkeypatch)


def test_changed_file_is_reloaded(tmp_path):
    """`reload: {every: ...}` in the file has changes noticed."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    logging.getLogger("a").debug("no")
    file.write(BASE.replace("INFO", "DEBUG") + QUICK)
    assert is_said("swapped")
    logging.getLogger("a").debug("yes")
    assert file.lines() == ["DEBUG a yes"]


def test_watch_option_needs_no_key(tmp_path, monkeypatch):
    """configure(watch=True) watches a file that says nothing of it."""
    monkeypatch.setattr(watch, "EVERY_S", 0.02)
    file = File(tmp_path)
    file.configure(watch=True)
    file.write(BASE.replace("INFO", "DEBUG"))
    assert is_said("swapped")


def test_same_content_is_no_change(tmp_path, looks):
    """A file that is written anew, or touched, with the same content is left alone."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    file.write(BASE + QUICK)
    os.utime(file.path)
    assert looks.wait()
    assert stats()["count"] == 0


def test_change_that_times_do_not_tell(tmp_path):
    """Fault: same size, same inode, same time, other content."""
    file = File(tmp_path, BASE + QUICK + "context: {a: 1}\n")
    file.configure()
    status = file.path.stat()
    with open(file.path, "r+b") as stream:
        stream.seek(-3, os.SEEK_END)
        stream.write(b"2")
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert is_said("swapped")


def test_included_files_are_watched(tmp_path):
    """A change in an included file counts, of whatever depth."""
    (tmp_path / "deep.yaml").write_text("root: {level: INFO}\n")
    (tmp_path / "inner.yaml").write_text("include: deep.yaml\n")
    text = BASE.replace("root: {level: INFO}\n", "") + QUICK + "include: inner.yaml\n"
    file = File(tmp_path, text)
    file.configure()
    (tmp_path / "deep.yaml").write_text("root: {level: DEBUG}\n")
    assert is_said("swapped")
    assert logging.getLogger().level == logging.DEBUG


def test_secrets_are_watched(tmp_path):
    """A secret file that is exchanged changes the handlers that use it."""
    (tmp_path / "secret").write_text("one\n")
    mail = (
        "mail: {type: email, host: 127.0.0.1, port: 1, security: none, username: u,"
        " password: '${file:secret}', from: a@example.org, to: [b@example.org]}"
    )
    file = File(tmp_path, BASE.replace("handlers:\n", f"handlers:\n  {mail}\n") + QUICK)
    runtime = file.configure()
    worker = runtime.workers["mail"]
    (tmp_path / "secret").write_text("two\n")
    assert is_said("swapped")
    assert runtime.workers["mail"] is not worker


def test_config_map_is_followed(tmp_path):
    """Kubernetes exchanges a link to a folder; the file's own link stays as it was."""
    for name, level in (("..1", "INFO"), ("..2", "DEBUG")):
        (tmp_path / name).mkdir()
        text = BASE.replace("INFO", level).replace("DIR", str(tmp_path)) + QUICK
        (tmp_path / name / "logging.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "logging.yaml").symlink_to("..data/logging.yaml")
    logroute.configure(str(tmp_path / "logging.yaml"))
    (tmp_path / "..tmp").symlink_to("..2")
    os.replace(tmp_path / "..tmp", tmp_path / "..data")
    assert is_said("swapped")
    assert logging.getLogger().level == logging.DEBUG


def test_missing_for_a_moment_is_nothing(tmp_path, monkeypatch):
    """An editor that removes the file before it writes it again causes no fault."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    looked, look = threading.Event(), Watcher._look

    def look_and_bring_back(watcher):
        state = look(watcher)
        if not looked.is_set() and None in state.values():
            file.write(BASE.replace("INFO", "DEBUG") + QUICK)
            looked.set()
        return state

    monkeypatch.setattr(Watcher, "_look", look_and_bring_back)
    file.path.unlink()
    assert looked.wait(10)
    assert is_said("swapped")
    assert stats()["count"] == 1


def test_half_written_file_is_waited_for(tmp_path, monkeypatch):
    """A file that grows between two looks is not read yet."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    text = (BASE.replace("INFO", "DEBUG") + QUICK).replace("DIR", str(tmp_path))
    sizes, written, look = iter([20, 60, 110, 150, len(text)]), [], Watcher._look

    def look_and_grow(watcher):
        if (size := next(sizes, None)) is not None:
            file.path.write_text(text[:size])
            written.append(size)
        return look(watcher)

    monkeypatch.setattr(Watcher, "_look", look_and_grow)
    assert is_said("swapped")
    assert (stats()["count"], len(written)) == (1, 5)


def test_bad_file_is_said_once(tmp_path, looks):
    """A bad file is told of once, and a better one is noticed afterwards."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    file.write(BASE.replace("INFO", "INFA") + QUICK)
    assert is_said("kept_old")
    assert looks.wait()
    assert stats()["count"] == 1
    file.write(BASE.replace("INFO", "INFX") + QUICK)
    assert is_said("kept_old", 2)
    file.write(BASE.replace("INFO", "DEBUG") + QUICK)
    assert is_said("swapped", 3)
    assert sum("ERROR logroute" in line for line in file.all_lines()) == 2


def test_missing_include_that_comes_later(tmp_path, looks):
    """The cure may be made in a file that only the bad config names."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    file.write(BASE + QUICK + "include: late.yaml\n")
    assert is_said("kept_old")
    assert looks.wait()
    (tmp_path / "late.yaml").write_text("context: {a: 1}\n")
    assert is_said("swapped", 2)


def test_deleted_file_is_said_once(tmp_path, looks):
    """A file that stays away is told of once."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    file.path.unlink()
    assert is_said("kept_old")
    assert looks.wait()
    assert stats()["count"] == 1
    assert "LR001" in stats()["error"]


def test_fifo_in_its_place_does_not_block(tmp_path, looks):
    """A FIFO where the file was is never opened."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    file.path.unlink()
    os.mkfifo(file.path)
    assert is_said("kept_old")
    assert looks.wait()


def test_thread_ends_with_the_runtime(tmp_path):
    """shutdown() ends the watching thread."""
    before = threads()
    File(tmp_path, BASE + QUICK).configure()
    assert threads() == before + 1
    logroute.shutdown()
    assert wait_until(lambda: threads() == before)


def test_watching_can_be_given_up(tmp_path):
    """A reload that takes the key away ends the watching."""
    before = threads()
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    file.write(BASE)
    assert is_said("swapped")
    assert logroute.flush(10)
    assert wait_until(lambda: threads() <= before + 2)  # dispatcher and worker
    file.write(BASE.replace("INFO", "DEBUG"))
    assert stats()["count"] == 1


def test_thread_holds_no_runtime(tmp_path):
    """The thread ends when the runtime is gone."""

    class Bare:
        def on_start(self, call):
            self.call = weakref.WeakMethod(call)

    before, bare = threads(), Bare()
    watcher = Watcher(bare, 0)
    watcher.start()
    assert threads() == before + 1
    del bare
    assert wait_until(lambda: threads() == before)


def test_forked_child_watches_from_its_first_record(tmp_path):
    """After a fork the thread is started again, lazily."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    logging.getLogger("a").info("parent")
    assert logroute.flush(10)
    pid = os.fork()
    if not pid:
        try:
            good = threads() == 1
            logging.getLogger("a").info("child")
            file.write(BASE.replace("INFO", "DEBUG") + QUICK)
            os._exit(0 if good and is_said("swapped") else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert is_said("swapped")


def test_large_secret_is_no_endless_change(tmp_path, looks):
    """A file that cannot be read whole does not look changed at each look."""
    file = File(tmp_path, BASE + QUICK)
    file.configure()
    (tmp_path / "big").write_bytes(b"x" * 100_000)
    file.write(BASE + QUICK + "context: {big: '${file:big}'}\n")
    assert is_said("kept_old")
    assert looks.wait(8)
    assert stats()["count"] <= 2
