"""Signals: SIGHUP reloads, `flush_on` drains first; each then means what it meant before."""

import logging
import os
import signal
import subprocess
import sys
import threading

import pytest
from engine_kit import wait_until
from reload_kit import BASE, File

import logroute

#: A handler that takes its time for each record; `DONE` has what it took.
HEAD = """
import logging, os, signal, sys, threading, time
import logroute

class Slow(logging.Handler):
    def __init__(self, pause=0.01):
        super().__init__()
        self.pause = pause
    def emit(self, record):
        time.sleep(self.pause)
        os.write(1, (record.getMessage() + "\\n").encode())

def configure(flush_on, pause=0.01, **more):
    return logroute.configure({
        "version": 1, "flush_on": flush_on, "root": {"level": "INFO"},
        "handlers": {"slow": {"()": "__main__.Slow", "pause": pause}},
        "routes": [{"to": ["slow"]}], **more})

def send(name):
    os.kill(os.getpid(), getattr(signal, name))

log = logging.getLogger("app").info
"""


def run(code, timeout=60):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + code],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


NUMBERS = [str(number) for number in range(50)]
LOG = "\nfor number in range(50):\n    log('%s', number)\n"


def test_signal_is_drained_then_kills():
    """Fault 2: SIGTERM at its default drains first; the exit status stays -15."""
    code, out, err = run(f"configure(['SIGTERM']){LOG}send('SIGTERM')\nprint('not here')")
    assert (code, out, err) == (-signal.SIGTERM, NUMBERS, "")


def test_without_the_key_a_signal_is_not_touched():
    """The library installs no signal handler by itself."""
    code, out, _ = run(
        "configure([])\nprint(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP))"
    )
    assert (code, out) == (0, ["0 0"])


def test_interrupt_raises_as_before():
    """SIGINT drains, then KeyboardInterrupt comes where it always came."""
    code, out, err = run(
        f"configure(['SIGINT']){LOG}\ntry:\n    send('SIGINT')\n    time.sleep(9)\n"
        "except KeyboardInterrupt:\n    print('caught', flush=True)\n"
    )
    assert (code, out, err) == (0, [*NUMBERS, "caught"], "")


def test_handler_of_the_application_is_called():
    """A Python handler that was there before is called when all is drained."""
    code, out, err = run(
        "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(f'bye {number}'))\n"
        f"configure(['SIGTERM']){LOG}send('SIGTERM')"
    )
    assert (code, out, err) == (1, NUMBERS, "bye 15\n")


def test_ignored_signal_stays_ignored():
    """A signal that was ignored drains and nothing more."""
    code, out, _ = run(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"configure(['SIGTERM']){LOG}send('SIGTERM')\nos.write(1, b'goes on\\n')"
    )
    assert (code, out) == (0, [*NUMBERS, "goes on"])


def test_drain_has_an_end():
    """Fault 7: a sink that hangs holds a signal up for shutdown_timeout, and is named."""
    code, out, err = run(
        "runtime = configure(['SIGTERM'], pause=60, shutdown_timeout=0.5)\nlog('stuck')\n"
        "log('behind')\nbegun = time.monotonic()\nsend('SIGTERM')"
    )
    assert (code, out) == (-signal.SIGTERM, [])
    assert "did not deliver 2 records in time" in err


def test_second_signal_does_not_cut_the_drain_short():
    """A supervisor that signals the group, or twice, loses nothing by it."""
    code, out, _ = run(
        f"configure(['SIGTERM']){LOG}\n"
        "threading.Timer(0.1, send, ['SIGTERM']).start()\nsend('SIGTERM')"
    )
    assert (code, out) == (-signal.SIGTERM, NUMBERS)


def test_second_interrupt_ends_the_drain():
    """Fault 6: who presses Ctrl-C again does not want to wait."""
    code, out, err = run(
        "configure(['SIGINT'], pause=30, shutdown_timeout=25)\nlog('stuck')\n"
        "threading.Timer(0.3, send, ['SIGINT']).start()\n"
        "try:\n    send('SIGINT')\n    time.sleep(9)\n"
        "except KeyboardInterrupt:\n    os.write(1, b'caught\\n')\n    os._exit(0)",
        timeout=15,
    )
    assert (code, out, err) == (0, ["caught"], "")


@pytest.mark.parametrize("seed", range(4))
def test_signals_within_logging_calls(seed):
    """Fault 26: signals delivered anywhere inside logging calls deadlock nothing, lose nothing."""
    code, out, err = run(
        f"""
import random
random.seed({seed})
taken = []
signal.signal(signal.SIGUSR1, lambda *_: taken.append(1))
configure(["SIGUSR1"], pause=0)
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGUSR1))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.0031)
end = time.monotonic() + 2
count = 0
while time.monotonic() < end:
    log("%s", count)
    count += 1
    if random.random() < 0.05:
        logroute.stats()
    if random.random() < 0.01:
        logroute.flush(5)
signal.setitimer(signal.ITIMER_REAL, 0)
assert logroute.flush(20)
sys.stderr.write(f"{{count}} {{bool(taken)}}")
"""
    )
    assert code == 0, err
    assert err == f"{len(out)} True"
    assert out == [str(number) for number in range(len(out))]


def test_signal_while_a_lock_is_held():
    """A signal that interrupts who holds a lock of ours is put off, not waited out."""
    code, out, _ = run(
        "runtime = configure(['SIGTERM'], shutdown_timeout=30)\n"
        "queue = runtime.workers['slow'].queue"
        f"{LOG}\nwith queue._lock:\n    send('SIGTERM')\n    time.sleep(0.1)\n"
        "    os.write(1, b'released\\n')\ntime.sleep(20)",
        timeout=20,
    )
    assert (code, out[-50:]) == (-signal.SIGTERM, NUMBERS)
    assert "released" in out[:1] or "released" in out


def test_signal_that_the_main_thread_sleeps_through():
    """A signal that arrives as the main thread goes to sleep is not heard; it comes again."""
    code, out, _ = run(
        "runtime = configure(['SIGTERM'], shutdown_timeout=30)\n"
        "queue, sent, kill = runtime.workers['slow'].queue, [], signal.pthread_kill\n"
        "def unheard(thread, number):\n    sent.append(number)\n"
        "    if len(sent) > 2:\n        kill(thread, number)\n"
        "signal.pthread_kill = unheard\n"
        f"{LOG}\nwith queue._lock:\n    send('SIGTERM')\ntime.sleep(20)",
        timeout=20,
    )
    assert (code, out[-50:]) == (-signal.SIGTERM, NUMBERS)


def test_signal_inside_a_synchronous_handler():
    """A signal inside a delivery in the caller lets that delivery end first."""
    code, out, err = run(
        """
class Sync(Slow):
    def emit(self, record):
        send("SIGTERM")
        time.sleep(0.05)
        super().emit(record)
logroute.configure({"version": 1, "flush_on": "SIGTERM", "queue": {"mode": "sync"},
    "handlers": {"s": {"()": "__main__.Sync"}}, "root": "INFO", "routes": [{"to": ["s"]}]})
log("whole")
time.sleep(20)
""",
        timeout=20,
    )
    assert (code, out, err) == (-signal.SIGTERM, ["whole"], "")


def test_signal_during_shutdown():
    """A signal that arrives while shutdown() drains lets it end."""
    code, out, _ = run(
        f"runtime = configure(['SIGTERM']){LOG}\n"
        "threading.Timer(0.1, send, ['SIGTERM']).start()\nruntime.shutdown(20)\ntime.sleep(20)",
        timeout=20,
    )
    assert code == -signal.SIGTERM
    assert out == NUMBERS or len(out) < 50


def test_signal_at_exit():
    """A signal that arrives while the process drains at exit loses nothing."""
    code, out, _ = run(
        f"configure(['SIGTERM']){LOG}\nthreading.Timer(0.1, send, ['SIGTERM']).start()"
    )
    assert code in (0, -signal.SIGTERM)
    assert out == NUMBERS


def test_what_a_memory_handler_holds_is_released():
    """What a buffering handler holds back is delivered before the signal kills."""
    code, out, _ = run(
        """
logroute.configure({"version": 1, "flush_on": ["SIGTERM"], "root": "INFO",
    "handlers": {"slow": {"()": "__main__.Slow"},
        "mem": {"class": "logging.handlers.MemoryHandler", "capacity": 100, "target": "slow"}},
    "routes": [{"to": ["mem"]}]})
log("held")
send("SIGTERM")
"""
    )
    assert (code, out) == (-signal.SIGTERM, ["held"])


def test_other_threads_cannot_install_handlers():
    """configure() outside of the main thread warns once and works otherwise."""
    code, out, err = run(
        "def start():\n    configure(['SIGTERM', 'SIGTERM'])\n    logroute.reload()\n"
        "thread = threading.Thread(target=start)\nthread.start()\nthread.join()\n"
        "assert logroute.flush(9)\nassert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL\n"
        "logroute.reload()\nassert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL"
    )
    assert (code, err) == (0, "")
    warned = "SIGTERM is not heeded: handlers of signals can only be installed from the main thread"
    assert [line for line in out if "SIGTERM" in line] == [warned]


# -- in this process


@pytest.fixture
def usual():
    """Bring back what the signals of these tests meant."""
    numbers = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    yield before
    logroute.shutdown()
    for number, handler in before.items():
        assert signal.getsignal(number) is handler, number


HUP = BASE + "reload: {every: 0s, signal: SIGHUP}\n"


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_signal_reloads(tmp_path, usual, name):
    """The named signal reloads; the default of SIGHUP, to die, is not carried out."""
    text = HUP.replace("SIGHUP", name)
    file = File(tmp_path, text)
    file.configure()
    file.write(text.replace("INFO", "DEBUG"))
    os.kill(os.getpid(), getattr(signal, name))
    assert wait_until(lambda: logroute.stats()["reload"]["last"] == "swapped")
    assert logging.getLogger().level == logging.DEBUG


def test_signal_calls_who_had_it_before(tmp_path):
    """The handler that the application had is called too, and comes back at the end."""
    called = []

    def mine(number, frame):
        called.append(number)

    before = signal.signal(signal.SIGHUP, mine)
    try:
        File(tmp_path, HUP).configure()
        signal.raise_signal(signal.SIGHUP)
        assert called == [signal.SIGHUP]
        assert wait_until(lambda: logroute.stats()["reload"]["count"] == 1)
        logroute.shutdown()
        assert signal.getsignal(signal.SIGHUP) is mine
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handler_installed_later_stays(tmp_path):
    """What somebody installs after us (gunicorn, Celery) is not replaced, not even at the end."""
    before = signal.getsignal(signal.SIGHUP)
    try:
        file = File(tmp_path, HUP)
        file.configure()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        file.reload(HUP + "context: {a: 1}\n")
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        logroute.shutdown()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_signal_that_is_no_longer_named_is_given_back(tmp_path, usual):
    """A reload in the main thread that names another signal changes over."""
    file = File(tmp_path, HUP)
    file.configure()
    file.reload(HUP.replace("SIGHUP", "SIGUSR2"))
    assert signal.getsignal(signal.SIGHUP) is usual[signal.SIGHUP]
    assert signal.getsignal(signal.SIGUSR2) is not usual[signal.SIGUSR2]


def test_signal_reloads_in_a_forked_child(tmp_path, usual):
    """A forked child that has no watching thread starts one when the signal comes."""
    file = File(tmp_path, HUP)
    file.configure()
    pid = os.fork()
    if not pid:
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            good = wait_until(lambda: logroute.stats()["reload"]["last"] == "unchanged")
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert logroute.stats()["reload"]["count"] == 0


def test_many_signals_make_few_reloads(tmp_path, usual):
    """Signals that come while one is served are one more reload, not many."""
    File(tmp_path, HUP).configure()
    for _ in range(200):
        os.kill(os.getpid(), signal.SIGHUP)
    assert wait_until(lambda: logroute.stats()["reload"]["count"] >= 1)
    assert logroute.stats()["reload"]["count"] < 200
    assert threading.main_thread().is_alive()
