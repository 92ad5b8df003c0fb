"""reload(): what goes on, what is replaced, and what a fault leaves alone."""

import gc
import logging
import logging.handlers
import os
import threading
import time

import pytest
from engine_kit import adds_up, wait_until
from reload_kit import BASE, File, LineServer

import logroute
from logroute.app import reload

TWO = BASE.replace("handlers:\n", "handlers:\n  more: {type: file, path: DIR/more.log}\n").replace(
    "to: [out]", "to: [out, more]"
)


def descriptors():
    gc.collect()  # what a test before has left
    return len(os.listdir("/proc/self/fd"))


def descriptors_of(path):
    """The descriptors that this process has open on a file."""
    links = {name: f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")}
    return [n for n, link in links.items() if os.path.exists(link) and os.path.samefile(link, path)]


def parts(runtime):
    """What must be the very same objects after a reload that failed."""
    worker = runtime.workers["out"]
    root = logging.getLogger()
    return [
        *(runtime, worker, worker.queue, worker._sink, runtime.handlers["out"]),
        *(runtime.dispatcher.routing, runtime.intake, *root.handlers),
    ]


def test_same_file_is_unchanged(tmp_path):
    """A file that says the same changes nothing and says so."""
    file = File(tmp_path)
    runtime = file.configure()
    before = parts(runtime)
    outcome = file.reload("# only a remark\n" + BASE)
    assert (outcome.outcome, outcome.kept) == ("unchanged", ("out",))
    assert all(a is b for a, b in zip(parts(runtime), before, strict=True))


def test_outcome_names_what_changed(tmp_path):
    """The outcome tells added, removed, changed and kept handlers and other keys apart."""
    file = File(tmp_path, TWO + "context: {a: 1}\n")
    file.configure()
    text = (
        TWO.replace("more:", "other:")
        .replace("more]", "other]")
        .replace("out.log,", "out.log, mode: '0600',")
    )
    outcome = file.reload(text)
    assert outcome.outcome == "swapped"
    assert outcome[1:6] == (("other",), ("more",), ("out",), (), ("routes", "context"))
    assert "added handlers `other`; removed handlers `more`; changed" in outcome.text


def test_reload_needs_a_config():
    """Without a config there is nothing to read again."""
    with pytest.raises(RuntimeError):
        logroute.reload()


def test_shut_down_runtime_cannot_reload(tmp_path):
    """A runtime that is shut down refuses to come back."""
    runtime = File(tmp_path).configure()
    logroute.shutdown()
    with pytest.raises(RuntimeError):
        runtime.reload()


def test_unchanged_handler_keeps_everything(tmp_path):
    """Law 4: worker, queue, open file and face of an unchanged handler go on."""
    file = File(tmp_path)
    runtime = file.configure()
    logging.getLogger("a").info("1")
    assert file.lines() == ["INFO a 1"]
    worker, face = runtime.workers["out"], runtime.handlers["out"]
    number = descriptors_of(tmp_path / "out.log")
    assert file.reload(TWO).kept == ("out",)
    logging.getLogger("a").info("2")
    assert file.lines() == ["INFO a 1", "INFO a 2"]
    assert (runtime.workers["out"], runtime.handlers["out"]) == (worker, face)
    assert descriptors_of(tmp_path / "out.log") == number != []
    assert runtime.stats()["handlers"]["out"]["delivered"] == len(file.all_lines())


def test_unchanged_connection_stays_open(tmp_path):
    """A socket handler that is described as before does not connect again."""
    with LineServer() as server:
        text = TWO.replace(
            "more: {type: file, path: DIR/more.log}",
            f"more: {{type: socket, address: '127.0.0.1:{server.port}', framing: newline, "
            "formatter: bare}",
        )
        file = File(tmp_path, text)
        runtime = file.configure()
        for number in range(5):
            logging.getLogger("a").info("%s", number)
            assert runtime.flush(10)
            assert file.reload(text.replace("INFO", "DEBUG" if number % 2 else "INFO"))
        assert wait_until(lambda: len([line for line in server.lines if b" a " in line]) == 5)
        assert server.connections == 1


def test_changed_handler_is_replaced_in_place(tmp_path):
    """A changed handler has a new worker; who holds its face goes on using it."""
    file = File(tmp_path)
    runtime = file.configure()
    face, worker = runtime.handlers["out"], runtime.workers["out"]
    file.reload(BASE.replace("out.log", "new.log"))
    face.handle(logging.makeLogRecord({"name": "f", "levelname": "INFO", "msg": "by hand"}))
    assert file.lines("new.log") == ["INFO f by hand"]
    assert runtime.handlers["out"] is face
    assert runtime.workers["out"] is not worker
    assert logging._handlers["out"] is face


def test_level_alone_keeps_the_worker(tmp_path):
    """Another level of a handler needs no new worker."""
    file = File(tmp_path)
    runtime = file.configure()
    worker = runtime.workers["out"]
    outcome = file.reload(BASE.replace("formatter: bare}", "formatter: bare, level: ERROR}"))
    logging.getLogger("a").warning("no")
    logging.getLogger("a").error("yes")
    assert file.lines() == ["ERROR a yes"]
    assert (outcome.changed, runtime.workers["out"]) == (("out",), worker)
    assert runtime.handlers["out"].level == logging.ERROR


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%(levelname)s ", "<%(levelname)s> "),
        ("version: 1\n", "version: 1\nqueue: {max_records: 77}\n"),
        ("rate: 0.5", "rate: 0.25"),
    ],
)
def test_what_a_handler_names_counts(tmp_path, old, new):
    """A changed formatter, filter or queue default changes the handlers that use it."""
    text = BASE.replace("formatter: bare}", "formatter: bare, filters: [some]}")
    text += "filters: {some: {type: sample, rate: 0.5}}\n"
    file = File(tmp_path, text)
    file.configure()
    assert old in text
    assert file.reload(text.replace(old, new)).changed == ("out",)


def test_unchanged_filters_keep_their_state(tmp_path):
    """A filter that is described as before goes on counting."""
    text = (
        BASE
        + "filters: {slow: {type: throttle, limit: 2, per: 1h}}\nloggers: {a: {filters: [slow]}}\n"
    )
    text = text.replace("root: {level: INFO}", "root: {level: LEVEL}")
    file = File(tmp_path, text.replace("LEVEL", "INFO"))
    file.configure()
    for level in ("INFO", "DEBUG", "INFO"):
        file.reload(text.replace("LEVEL", level))
        logging.getLogger("a").error("x")
    assert len(file.lines()) == 2


# -- faults


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BASE.replace("to: [out]", "to: [aut]"), "LR201"),
        (BASE + "\t]", "LR005"),
        (BASE.replace("type: file, path: DIR/out.log", "class: nosuchmodule.Handler"), "LR903"),
        ("", "LR003"),
    ],
)
def test_bad_file_leaves_all_as_it_was(tmp_path, text, code):
    """Fault 30: a reload that fails leaves the very same objects at work."""
    file = File(tmp_path)
    runtime = file.configure()
    logging.getLogger("a").info("1")
    assert runtime.flush(10)
    before, open_before = parts(runtime), descriptors()
    outcome = file.reload(text)
    assert (outcome.outcome, outcome.errors[0].code) == ("kept_old", code)
    assert all(a is b for a, b in zip(parts(runtime), before, strict=True))
    assert descriptors() == open_before
    logging.getLogger("a").info("2")
    assert file.lines() == ["INFO a 1", "INFO a 2"]


def test_missing_file_leaves_all_as_it_was(tmp_path):
    """A file that is gone is no reason to stop."""
    file = File(tmp_path)
    file.configure()
    file.path.unlink()
    outcome = logroute.reload()
    assert (outcome.outcome, outcome.errors[0].code) == ("kept_old", "LR001")


def test_working_directory_does_not_matter(tmp_path, monkeypatch):
    """A relative path means what it meant at the start."""
    file = File(tmp_path)
    monkeypatch.chdir(tmp_path)
    logroute.configure("logging.yaml")
    monkeypatch.chdir("/")
    assert file.reload(TWO).outcome == "swapped"


class Opened(logging.FileHandler):
    """A handler that knows who is open."""

    open_ones: set = set()

    def __init__(self, filename):
        super().__init__(filename)
        self.open_ones.add(self)

    def close(self):
        self.open_ones.discard(self)
        super().close()


def test_given_up_handlers_are_closed(tmp_path):
    """Fault 30: foreign handlers that were built for nothing are closed again."""
    Opened.open_ones.clear()
    file = File(tmp_path)
    file.configure()
    mine = "{class: test_reload.Opened, filename: DIR/mine.log}"
    text = BASE.replace("handlers:\n", f"handlers:\n  mine: {mine}\n  bad: {{class: no.Such}}\n")
    outcome = file.reload(text)
    assert outcome.outcome == "kept_old"
    assert (tmp_path / "mine.log").exists()
    assert Opened.open_ones == set()


def test_dispatcher_that_hangs_costs_nothing(tmp_path, monkeypatch):
    """A swap that does not come round is taken back: it happens at no later time either."""
    file = File(tmp_path, BASE + "shutdown_timeout: 0.2s\n")
    runtime = file.configure()
    before = parts(runtime)
    monkeypatch.setattr(reload, "SWAP_S", 0.1)
    monkeypatch.setattr(runtime.dispatcher, "drain", lambda: None)
    Opened.open_ones.clear()
    more = "{class: test_reload.Opened, filename: DIR/more.log}"
    text = TWO.replace("{type: file, path: DIR/more.log}", more)
    outcome = file.reload(text + "shutdown_timeout: 0.2s\n")
    assert Opened.open_ones == set()
    assert (outcome.outcome, outcome.errors[0].code) == ("kept_old", "LR903")
    monkeypatch.undo()
    logging.getLogger("a").info("x")
    assert file.lines() == ["INFO a x"]
    assert all(a is b for a, b in zip(parts(runtime), before, strict=True))


def test_reload_waits_for_what_is_being_routed(tmp_path):
    """A `shutdown_timeout` of nothing bounds what is drained, not the swap."""
    file = File(tmp_path, BASE + "shutdown_timeout: 0\n")
    runtime = file.configure()
    out = runtime.workers["out"]
    begun, encode = threading.Event(), out.encode
    out.encode = lambda record: begun.set() or time.sleep(0.2) or encode(record)
    logging.getLogger("a").info("x")
    assert begun.wait(10)
    assert file.reload(TWO + "shutdown_timeout: 0\n").outcome == "swapped"
    assert runtime.flush(10) and file.lines() == ["INFO a x"]


def test_filter_cannot_reload(tmp_path):
    """A reload from a thread of ours, which would wait for itself, is refused."""
    file = File(tmp_path)
    runtime = file.configure()
    file.write(TWO)
    outcomes = []
    runtime.workers["out"].encode = lambda record: outcomes.append(logroute.reload()) or b"x\n"
    logging.getLogger("a").info("x")
    assert runtime.flush(10)
    assert [outcome.outcome for outcome in outcomes] == ["kept_old"]


# -- draining


class Slow(logging.Handler):
    """A handler that takes records when it is let."""

    gate = threading.Event()
    taken: list = []
    closed = 0

    def __init__(self, **options):
        super().__init__()

    def emit(self, record):
        if record.name == "logroute":
            return
        self.gate.wait(20)
        self.taken.append(record.getMessage())

    def close(self):
        type(self).closed += 1
        super().close()


@pytest.fixture
def slow():
    Slow.gate.clear()
    Slow.taken.clear()
    Slow.closed = 0
    yield Slow
    Slow.gate.set()


SLOW = BASE.replace(
    "handlers:\n", "handlers:\n  slow: {class: test_reload.Slow, filename: DIR/s, mark: 1}\n"
).replace("to: [out]", "to: [out, slow]")


def test_replaced_handler_drains_in_the_background(tmp_path, slow):
    """reload() returns at once; what the old handler still has, it delivers."""
    file = File(tmp_path, SLOW)
    runtime = file.configure()
    for number in range(3):
        logging.getLogger("a").info("%s", number)
    assert wait_until(lambda: runtime.workers["slow"].queue.counts()["enqueued"] == 3)
    assert file.reload(BASE).removed == ("slow",)
    assert slow.taken == []
    assert runtime.stats()["retired"]["slow"]["enqueued"] == 3
    slow.gate.set()
    assert runtime.flush(10)
    assert slow.taken == ["0", "1", "2"]
    assert wait_until(lambda: slow.closed == 1)
    counts = runtime.stats()["retired"]["slow"]
    assert (counts["delivered"], adds_up(counts)) == (3, True)


def test_replaced_handler_that_hangs_is_given_up(tmp_path, slow, capfd):
    """What is not delivered within shutdown_timeout is counted and said."""
    text = SLOW + "shutdown_timeout: 0.3s\n"
    file = File(tmp_path, text)
    runtime = file.configure()
    logging.getLogger("a").info("stuck")
    assert wait_until(lambda: runtime.workers["slow"].queue.in_flight == 1)
    file.reload(BASE)
    assert wait_until(lambda: not runtime.retired.draining)
    assert runtime.stats()["retired"]["slow"]["dropped"] == {"shutdown": 1}
    assert "did not deliver 1 records in time" in capfd.readouterr().err
    slow.gate.set()


def test_old_lines_come_before_new_ones(tmp_path, slow):
    """A handler that writes where the old one wrote begins when that one has ended."""
    file = File(tmp_path, SLOW)
    runtime = file.configure()
    logging.getLogger("a").info("old")
    assert wait_until(lambda: runtime.workers["slow"].queue.in_flight == 1)
    file.reload(SLOW.replace("mark: 1", "mark: 2"))
    logging.getLogger("a").info("new")
    logging.getLogger("a").info("new")
    assert wait_until(lambda: runtime.workers["slow"].queue.waiting == 3)
    assert not runtime.workers["slow"].is_running
    slow.gate.set()
    assert runtime.flush(10)
    assert slow.taken == ["old", "new", "new"]


def test_two_reloads_in_a_row_keep_the_order(tmp_path, slow):
    """A handler that was waiting itself when it was replaced delivers all the same."""
    file = File(tmp_path, SLOW)
    runtime = file.configure()
    for mark in (1, 2, 3):
        file.reload(SLOW.replace("mark: 1", f"mark: {mark}"))
        logging.getLogger("a").info("%s", mark)
        assert wait_until(lambda: runtime.workers["slow"].queue.unsettled >= 1)
    slow.gate.set()
    assert runtime.flush(10)
    assert slow.taken == ["1", "2", "3"]


def test_other_address_need_not_wait(tmp_path, slow):
    """A handler with another destination begins while the old one still hangs."""
    file = File(tmp_path, SLOW)
    runtime = file.configure()
    logging.getLogger("a").info("old")
    assert wait_until(lambda: runtime.workers["slow"].queue.in_flight == 1)
    file.reload(SLOW.replace("filename: DIR/s", "filename: DIR/t"))
    assert runtime.workers["slow"].held is None
    slow.gate.set()


def test_shutdown_waits_for_the_replaced(tmp_path, slow):
    """shutdown() right after a reload loses nothing of the old nor of the new handler."""
    file = File(tmp_path, SLOW)
    runtime = file.configure()
    logging.getLogger("a").info("old")
    assert wait_until(lambda: runtime.workers["slow"].queue.in_flight == 1)
    file.reload(SLOW.replace("mark: 1", "mark: 2"))
    logging.getLogger("a").info("new")
    threading.Timer(0.05, slow.gate.set).start()
    assert runtime.shutdown(10) == {}
    assert slow.taken == ["old", "new"]


def test_memory_handler_releases_into_the_next_config(tmp_path):
    """Fault 30: what a replaced MemoryHandler holds goes to its target."""
    text = BASE.replace(
        "handlers:\n",
        "handlers:\n  mem: {class: logging.handlers.MemoryHandler, capacity: 100, "
        "flushLevel: 40, target: out}\n",
    ).replace("to: [out]", "to: [mem]")
    file = File(tmp_path, text)
    runtime = file.configure()
    for number in range(50):
        logging.getLogger("a").info("%s", number)
    assert runtime.flush(10)
    file.reload(BASE.replace("out.log", "next.log"))
    assert wait_until(lambda: not runtime.retired.draining)
    assert len(file.lines("next.log")) == 50


def test_idle_handlers_are_replaced_at_once(tmp_path):
    """Where nothing was logged yet, no thread is started and nothing is waited for."""
    memory = "{class: logging.handlers.MemoryHandler, capacity: 9, target: out}"
    text = BASE.replace("handlers:\n", f"handlers:\n  mem: {memory}\n").replace("[out]", "[mem]")
    file = File(tmp_path, text + "shutdown_timeout: 1h\n")
    threads = len(os.listdir("/proc/self/task"))
    runtime = file.configure()
    logging.getLogger("logroute").disabled = True
    try:
        assert file.reload(BASE).outcome == "swapped"
    finally:
        logging.getLogger("logroute").disabled = False
    assert runtime.retired.finish_by(20)
    assert wait_until(lambda: len(os.listdir("/proc/self/task")) == threads)


def test_handler_that_was_removed_takes_nothing(tmp_path, capfd):
    """Who logs to the face of a handler that is gone is told so on stderr."""
    file = File(tmp_path, TWO)
    runtime = file.configure()
    face = runtime.handlers["more"]
    file.reload(BASE)
    assert wait_until(lambda: not runtime.retired.draining)
    face.handle(logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "msg": "whither"}))
    assert runtime.flush(10)
    assert capfd.readouterr().err.endswith("whither\n")
    assert runtime.stats()["unmatched"] == 1
    assert "more" not in logging._handlers


# -- telling


def test_outcome_is_logged(tmp_path):
    """Success is an INFO record that names what changed; a failure an ERROR with places."""
    file = File(tmp_path)
    file.configure()
    file.reload(TWO)
    file.reload(TWO.replace("to: [out, more]", "to: [out, mire]"))
    file.reload(TWO)
    name = str(file.path)
    first, bad, again = (line for line in file.all_lines() if " logroute " in line)
    assert first == (f"INFO logroute {name} read again: added handlers `more`; changed `routes`")
    assert bad.startswith(f"ERROR logroute {name} cannot be used, the config of before stays")
    assert f"{name}:7:21: LR201" in bad
    assert again == f"INFO logroute {name} is again as it runs"


def test_outcome_is_in_the_stats(tmp_path):
    """stats()["reload"] has how often, the last outcome, when, and what was wrong."""
    file = File(tmp_path)
    file.configure()
    assert logroute.stats()["reload"] == {"count": 0, "last": None, "when": None, "error": None}
    file.reload(BASE + "nonsense: 1\n")
    stats = logroute.stats()["reload"]
    assert (stats["count"], stats["last"]) == (1, "kept_old")
    assert "LR101" in stats["error"]
    file.reload(BASE)
    assert logroute.stats()["reload"]["error"] is None


def test_secrets_are_not_told(tmp_path):
    """The outcome of a bad reload has no secret in it."""
    file = File(tmp_path)
    file.configure()
    text = BASE.replace(
        "handlers:\n",
        "handlers:\n  m: {type: email, host: h.example.org, password: hunter2, to: [a]}\n",
    )
    outcome = file.reload(text)
    assert outcome.outcome == "kept_old"
    assert "hunter2" not in repr(outcome) + outcome.text + str(logroute.stats())


# -- configure() while something runs


def test_configure_keeps_what_is_the_same(tmp_path):
    """Another source that describes a handler alike goes on with its open file."""
    runtime = File(tmp_path).configure()
    worker = runtime.workers["out"]
    logging.getLogger("a").info("1")
    other = File(tmp_path, TWO, "other.yaml")
    assert other.configure() is runtime
    logging.getLogger("a").info("2")
    assert other.lines() == ["INFO a 1", "INFO a 2"]
    assert runtime.workers["out"] is worker
    other.write(BASE)
    assert logroute.reload().removed == ("more",)


def test_stricter_imports_share_nothing_foreign(tmp_path):
    """What an earlier config was allowed to import does not slip into a stricter one."""
    file = File(tmp_path, SLOW)
    file.configure()
    with pytest.raises(logroute.ConfigError) as caught:
        File(tmp_path, SLOW + "context: {a: 1}\n").configure(imports=["logging.*"])
    assert "LR904" in str(caught.value)
    Slow.gate.set()


def test_changed_mapping_is_read_again():
    """A mapping that the application has changed is read as it is now."""
    config = {"version": 1, "handlers": {"a": {"type": "null"}}, "routes": [{"to": ["a"]}]}
    runtime = logroute.configure(config)
    config["handlers"]["b"] = {"type": "null"}
    config["routes"] = [{"to": ["b"]}]
    assert logroute.reload().added == ("b",)
    assert list(runtime.handlers) == ["a", "b"]


def test_reload_works_in_a_forked_child(tmp_path):
    """A forked child reloads for itself alone."""
    file = File(tmp_path)
    runtime = file.configure()
    logging.getLogger("a").info("parent")
    assert runtime.flush(10)
    pid = os.fork()
    if not pid:
        try:
            outcome = file.reload(BASE.replace("out.log", "child.log"))
            logging.getLogger("a").info("child")
            os._exit(0 if outcome.outcome == "swapped" and logroute.flush(10) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (tmp_path / "child.log").read_text().splitlines()[-1] == "INFO a child"
    assert file.lines() == ["INFO a parent"]
