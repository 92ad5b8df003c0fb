"""Issue 4: whatever servers, reloads and forks do, no record is unaccounted for.

`make soak` runs the same with ever new seeds for ten minutes.
"""

import json
import os
import subprocess
import sys
import threading

import pytest
import soak_kit
from reload_kit import BASE, File
from soak_kit import Reckoning, soak

from logroute.engine.retired import Retired


@pytest.mark.parametrize("seed", range(1, 13))
def test_every_record_is_accounted_for(tmp_path, seed):
    """Servers die, stall, refuse and come back while threads log, reload and fork.

    With every fourth seed kill -9 ends it all; then a spool has all that callers wrote.
    """
    command = [sys.executable, soak_kit.__file__, str(tmp_path / "run"), str(seed), "0.7"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=110)
    faults = json.loads(done.stdout)
    assert not faults, "\n".join([f"seed {seed}", *faults])


def test_reckoning_finds_what_is_wrong(tmp_path):
    """A line too many, one too few and a count that is wrong are each found."""
    folder, kept = tmp_path / "run", []
    faults = soak(folder, 3, 0.3, keep=kept.append)
    assert not faults, "\n".join(faults)
    servers, path = kept[0].servers, folder / "plain.log"
    whole = path.read_text()
    first, rest = whole.split("\n", 1)
    for text in (rest, whole + first + "\n", whole + "INFO app #main.0.9999999#\n"):
        path.write_text(text)
        assert Reckoning(folder, servers).faults()
    path.write_text(whole)
    told = (folder / "main.json").read_text()
    (folder / "main.json").write_text(told.replace('"enqueued": ', '"enqueued": 1', 1))
    assert Reckoning(folder, servers).faults()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_amid_reload_knows_both_configs(tmp_path, monkeypatch):
    """A child forked as workers change owns no lock of the parent, of old ones either."""
    file, codes = File(tmp_path), []
    old = file.configure().workers["out"]
    add = Retired.add

    def fork_and_add(*args):
        locked, over = threading.Event(), threading.Event()
        other = threading.Thread(target=lambda: hold_lock(old.queue._lock, locked, over))
        other.start()
        locked.wait(10)
        pid = os.fork()
        if not pid:
            os._exit(0 if old.queue._lock.acquire(blocking=False) else 1)
        over.set()
        other.join()
        codes.append(os.waitpid(pid, 0)[1])
        add(*args)

    monkeypatch.setattr(Retired, "add", fork_and_add)
    assert file.reload(BASE.replace("{type: file", "{type: file, mode: '0600'")).changed
    assert codes == [0]


def hold_lock(lock, locked, over):
    with lock:
        locked.set()
        over.wait(10)
