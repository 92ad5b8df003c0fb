"""Reloading while threads log: nothing is lost, nothing comes twice."""

import logging
import random
import threading

import pytest
from engine_kit import adds_up
from reload_kit import FORMAT, File

import logroute
from logroute.app import grace
from logroute.app.tree import Tree

HANDLERS = """
handlers:
  kept: {type: file, path: DIR/kept.log, formatter: bare}
  other: {type: file, path: DIR/other.log, formatter: bare, mode: MODE}
"""
#: Configs that all send every record of `app` and its children to both files.
WAYS = [
    "root: {level: INFO}\nroutes: [{to: [kept, other]}]\n",
    "root: {level: DEBUG, handlers: [kept, other]}\n",
    "root: {level: ERROR}\nloggers: {app: {level: DEBUG, handlers: [kept, other]}}\n",
    (
        "root: {level: INFO, handlers: [kept]}\n"
        "loggers: {app: {handlers: [other]}, app.db: {level: INFO, handlers: [kept, other]}}\n"
    ),
    (
        "root: {level: ERROR, handlers: [other]}\n"
        "loggers: {app: {level: INFO, handlers: [kept, other], propagate: false}}\n"
    ),
    (
        "root: ERROR\nroutes: [{to: [kept, other], match: {message: number}}]\n"
        "loggers: {app.db: {level: INFO, handlers: [kept], propagate: true}, app: {level: DEBUG}}\n"
    ),
    (
        "root: INFO\nfilters: {here: {name: app}, stamp: {type: add_fields, fields: {a: 1}}}\n"
        "routes: [{to: kept, filters: [stamp, here]}, {to: [kept, other], filters: here},"
        " {to: kept, filters: stamp}]\n"
    ),
    (
        "root: INFO\nroutes: [{to: other, audit: true, match: {message: number}},"
        " {to: [kept, other]}]\n"
    ),
    (
        "loggers: {app.db: {level: DEBUG, handlers: [kept, other], propagate: false},"
        " app: {level: INFO, handlers: [kept, other], propagate: false}}\n"
    ),
]


def text_of(way, mode):
    return f"version: 1\n{FORMAT}{HANDLERS.replace('MODE', mode)}{way}"


class Crowd:
    """Threads that log numbered records until told to stop."""

    def __init__(self, count=2):
        self.stop = threading.Event()
        self.totals = [0] * count
        self.threads = [threading.Thread(target=self._log, args=(n,)) for n in range(count)]

    def _log(self, thread):
        loggers = [logging.getLogger("app.db.deep"), logging.getLogger("app")]
        number = 0
        while not self.stop.is_set():
            loggers[number % 2].info("number %s-%s", thread, number)
            number += 1
            if not number % 20:
                self.stop.wait(0.0005)
        self.totals[thread] = number

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("seed", [1, 2])
def test_hundred_reloads_lose_nothing(tmp_path, seed):
    """Fault 29: 100 reloads under load of two threads, 0 lost and 0 doubled."""
    chance = random.Random(seed)
    file = File(tmp_path, text_of(WAYS[0], "'0600'"))
    runtime = file.configure()
    with Crowd() as crowd:
        for turn in range(100):
            way = chance.choice(WAYS)
            outcome = file.reload(text_of(way, "'0644'" if turn % 3 else "'0600'"))
            assert outcome.outcome in ("swapped", "unchanged"), outcome.text
    wanted = {f"{n}-{i}" for n, total in enumerate(crowd.totals) for i in range(total)}
    for name in ("kept.log", "other.log"):
        got = [line.rpartition(" ")[2] for line in file.lines(name) if "number" in line]
        assert (len(wanted - set(got)), len(got) - len(set(got))) == (0, 0), name
    stats = runtime.stats()
    assert all(adds_up(c) for s in ("handlers", "retired") for c in stats[s].values())
    assert stats["unmatched"] == 0


def test_lines_of_one_file_stay_in_order(tmp_path):
    """The lines of each thread are in order, across workers that take turns at a file."""
    file = File(tmp_path, text_of(WAYS[0], "'0600'"))
    file.configure()
    with Crowd() as crowd:
        for turn in range(30):
            file.reload(text_of(WAYS[0], "'0644'" if turn % 2 else "'0600'"))
    lines = [line.rpartition(" ")[2] for line in file.lines("other.log") if "number" in line]
    for thread in range(len(crowd.totals)):
        numbers = [int(n.partition("-")[2]) for n in lines if n.startswith(f"{thread}-")]
        assert numbers == list(range(crowd.totals[thread]))


def test_sync_handlers_lose_nothing(tmp_path):
    """Handlers that deliver in the caller change over without a loss, to threads and back."""
    modes = ["queue: {mode: sync}\n", "queue: {mode: thread}\n"]
    file = File(tmp_path, modes[0] + text_of(WAYS[0], "'0600'"))
    file.configure()
    with Crowd() as crowd:
        for turn in range(20):
            assert file.reload(modes[turn % 2] + text_of(WAYS[0], "'0600'"))
    for name in ("kept.log", "other.log"):
        got = [line.rpartition(" ")[2] for line in file.lines(name) if "number" in line]
        assert (len(got), len(set(got))) == (sum(crowd.totals), sum(crowd.totals))


def test_levels_never_rise_too_high(tmp_path, monkeypatch):
    """While levels change, no logger is above the higher one of before and after."""
    names = ["root", "lv", "lv.a", "lv.a.b"]
    loggers = {n: logging.getLogger(None if n == "root" else n) for n in names}
    chance, seen = random.Random(7), []
    set_level = logging.Logger.setLevel

    def watched(logger, level):
        set_level(logger, level)
        seen.append({n: each.getEffectiveLevel() for n, each in loggers.items()})

    monkeypatch.setattr(logging.Logger, "setLevel", watched)
    file = File(tmp_path, text_of(WAYS[0], "'0600'"))
    file.configure()
    for _ in range(150):
        chosen = {n: chance.choice([None, 10, 20, 30, 40, 50]) for n in names}
        inner = ", ".join(f"{n}: {level}" for n, level in chosen.items() if level and n != "root")
        before = {n: each.getEffectiveLevel() for n, each in loggers.items()}
        seen.clear()
        text = text_of(f"root: {chosen['root'] or 30}\nloggers: {{{inner}}}\n", "'0600'")
        assert file.reload(text + "routes: [{to: [kept, other]}]\n").outcome != "kept_old"
        after = {n: each.getEffectiveLevel() for n, each in loggers.items()}
        for moment in seen:
            assert all(moment[n] <= max(before[n], after[n]) for n in names)


def test_silenced_loggers_stay_silent(tmp_path):
    """disable_existing_loggers: a logger that both configs silence makes no record between."""
    logger = logging.getLogger("silent.one")
    text = text_of("root: INFO\nroutes: [{to: [kept, other]}]\n", "'0600'")
    file = File(tmp_path, text + "disable_existing_loggers: true\n")
    file.configure()
    moments = []
    swap = Tree.prepare
    Tree.prepare = lambda *args: moments.append(logger.disabled) or swap(*args)
    try:
        file.reload(text.replace("0600", "0644") + "disable_existing_loggers: true\n")
    finally:
        Tree.prepare = swap
    assert (moments, logger.disabled) == ([True], True)
    assert not logging.getLogger("logroute").disabled
    file.reload(text)
    assert not logger.disabled


class Blocking(logging.Handler):
    """A handler, not of ours, that stops who comes by."""

    def __init__(self):
        super().__init__()
        self.there, self.go = threading.Event(), threading.Event()

    def emit(self, record):
        if record.getMessage() == "on its way":
            self.there.set()
            self.go.wait(10)


@pytest.mark.parametrize("new", [WAYS[4], WAYS[6]])
def test_record_on_its_way_up_is_not_lost(tmp_path, monkeypatch, new):
    """A record that passed its logger before a face stood there finds the way up open."""
    monkeypatch.setattr(grace, "MOST_S", 10.0)
    blocking, logger = Blocking(), logging.getLogger("app")
    logger.addHandler(blocking)
    file = File(tmp_path, text_of(WAYS[0], "'0600'"))
    file.configure()
    walker = threading.Thread(target=lambda: logger.info("on its way"))
    walker.start()
    assert blocking.there.wait(10)
    reload = threading.Thread(target=lambda: file.reload(text_of(new, "'0600'")))
    reload.start()
    threading.Timer(0.05, blocking.go.set).start()
    walker.join()
    reload.join()
    logger.removeHandler(blocking)
    assert file.lines("kept.log") == file.lines("other.log") == ["INFO app on its way"]


def test_logging_lock_is_not_needed(tmp_path):
    """Fault 28: threads of ours end and drain while somebody holds logging's own lock."""
    file = File(tmp_path, text_of(WAYS[0], "'0600'"))
    runtime = file.configure()
    logging.getLogger("app").info("x")
    with logging._lock:
        outcome = file.reload(text_of(WAYS[0], "'0644'"))
        assert outcome.outcome == "swapped"
        assert runtime.retired.finish_by(10)
        assert logroute.flush(10)


def test_never_strikes_handlers_off(tmp_path, monkeypatch):
    """Fault 28: a reload calls neither logging.shutdown nor what clears all handlers."""

    def forbidden(*_):
        raise AssertionError

    import logging.config

    monkeypatch.setattr(logging, "shutdown", forbidden)
    monkeypatch.setattr(logging.config, "_clearExistingHandlers", forbidden)
    text = text_of("root: INFO\nroutes: [{to: [kept, other]}]\n", "'0600'")
    text = text.replace("handlers:\n", "handlers:\n  n: {class: logging.NullHandler}\n")
    file = File(tmp_path, text)
    file.configure()
    assert file.reload(text.replace("0600", "0644")).changed == ("other",)
