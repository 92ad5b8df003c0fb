"""configure(): building, attaching, replacing, taking off."""

import gc
import logging
import logging.config
import logging.handlers
import os
import subprocess
import sys

import pytest
from engine_kit import adds_up

import logroute
from logroute.app.foreign import ForeignParts
from logroute.config.parse import parse
from logroute.config.source import from_dict

BASIC = """
version: 1
formatters:
  bare: {format: "%(levelname)s %(name)s %(message)s"}
handlers:
  out: {type: file, path: PATH, formatter: bare}
root: {level: INFO}
routes:
  - {to: out}
"""


def configure(tmp_path, text=BASIC, name="out.log", **options):
    path = tmp_path / name
    return logroute.configure(text.replace("PATH", str(path)), **options), path


def lines(path):
    assert logroute.flush(10)
    return path.read_text().splitlines()


def test_records_of_any_logger_arrive(tmp_path):
    """Whatever logs through the standard library arrives formatted."""
    _, path = configure(tmp_path)
    logging.getLogger("shop.db").info("hello %s", "you")
    logging.getLogger().warning("root")
    logging.getLogger("shop").debug("too low")
    assert lines(path) == ["INFO shop.db hello you", "WARNING root root"]


def test_same_config_is_kept(tmp_path):
    """Configuring the same thing again changes nothing."""
    first, _ = configure(tmp_path)
    again, _ = configure(tmp_path)
    assert again is first


def test_new_config_replaces_old_one(tmp_path):
    """A second config takes over; the first one's records are delivered."""
    _, old = configure(tmp_path, name="old.log")
    logging.getLogger("a").info("1")
    _, new = configure(tmp_path, name="new.log")
    logging.getLogger("a").info("2")
    assert lines(new) == ["INFO a 2"]
    assert old.read_text() == "INFO a 1\n"
    assert len(logging.getLogger().handlers) - len(_foreign(logging.getLogger())) == 1


def _foreign(logger):
    return [h for h in logger.handlers if type(h).__module__.startswith("_pytest")]


def test_loggers_of_the_old_config_alone_are_brought_back(tmp_path):
    """A logger that only the replaced config named is as it was before."""
    logger = logging.getLogger("old.only")
    configure(tmp_path, BASIC + "loggers: {old.only: {level: ERROR, handlers: [out]}}\n", "a.log")
    assert (logger.level, len(logger.handlers)) == (logging.ERROR, 1)
    configure(tmp_path, name="b.log")
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])


def test_bad_config_leaves_old_one(tmp_path):
    """A config with faults raises, and what ran goes on running."""
    runtime, path = configure(tmp_path)
    with pytest.raises(logroute.ConfigError) as caught:
        configure(tmp_path, BASIC.replace("to: out", "to: aut"))
    assert "did you mean `out`?" in str(caught.value)
    assert logroute.current() is runtime
    logging.getLogger("a").info("still here")
    assert lines(path) == ["INFO a still here"]


def test_unbuildable_handler_leaves_old_one(tmp_path):
    """A class that cannot be imported is told with its place; the old config runs on."""
    runtime, path = configure(tmp_path)
    text = BASIC.replace("type: file, path: PATH", "class: nosuchmodule.Handler")
    with pytest.raises(logroute.ConfigError) as caught:
        configure(tmp_path, text)
    assert "LR903" in str(caught.value)
    assert "nosuchmodule" in str(caught.value)
    assert ":6:3" in str(caught.value)
    assert logroute.current() is runtime


def test_shutdown_brings_loggers_back(tmp_path):
    """After shutdown every logger is as it was before."""
    logger = logging.getLogger("back.again")
    mine = logging.StreamHandler()
    logger.addHandler(mine)
    logger.setLevel(35)
    before = list(logging.getLogger().handlers)
    text = BASIC + "loggers: {back.again: {level: DEBUG, propagate: false, handlers: [out]}}\n"
    _, path = configure(tmp_path, text)
    logger.debug("x")
    assert mine not in logger.handlers
    assert lines(path) == ["DEBUG back.again x"]
    logroute.shutdown()
    assert (logger.level, logger.propagate, logger.handlers) == (35, True, [mine])
    assert logging.getLogger().handlers == before
    logger.removeHandler(mine)


def test_foreign_observers_stay(tmp_path, caplog):
    """Handlers that others put on the root logger, such as caplog's, stay."""
    configure(tmp_path)
    logging.getLogger("seen").warning("by caplog")
    assert [record.message for record in caplog.records] == ["by caplog"]


def test_logger_handlers_and_routes_deliver_once(tmp_path):
    """A handler named by a logger, its parent and a route gets a record once."""
    text = BASIC + "loggers: {a: {handlers: [out]}, a.b: {handlers: [out]}}\n"
    _, path = configure(tmp_path, text)
    logging.getLogger("a.b.c").info("once")
    assert lines(path) == ["INFO a.b.c once"]


def test_record_handed_to_parent_arrives(tmp_path):
    """A record given to the root logger directly is routed from there."""
    text = BASIC + "loggers: {a: {handlers: [out], propagate: false}}\n"
    _, path = configure(tmp_path, text)
    made = logging.makeLogRecord({"name": "a.b", "levelno": 20, "levelname": "INFO", "msg": "x"})
    logging.getLogger().handle(made)
    assert lines(path) == ["INFO a.b x"]


def test_stdlib_handlers_run_behind_queues(tmp_path):
    """A dictConfig handler is built by stdlib and run by a worker."""
    text = """
version: 1
formatters: {f: {format: "%(name)s|%(message)s"}}
handlers:
  old: {class: logging.handlers.RotatingFileHandler, filename: PATH, formatter: f, level: WARNING}
  mem: {class: logging.handlers.MemoryHandler, capacity: 100, flushLevel: 40, target: old}
root: {handlers: [old], level: DEBUG}
loggers: {m: {handlers: [mem], propagate: false}}
"""
    runtime, path = configure(tmp_path, text, name="logs/new/out.log")
    logging.getLogger("a").info("no")
    logging.getLogger("a").warning("yes")
    logging.getLogger("m").warning("kept")
    logging.getLogger("m").error("released")
    assert runtime.flush(10) and runtime.flush(10)
    assert path.read_text().splitlines() == ["a|yes", "m|kept", "m|released"]
    assert all(adds_up(counts) for counts in runtime.stats()["handlers"].values())


def test_foreign_filters_run_in_the_caller(tmp_path):
    """A stdlib filter on a handler sees the thread that logs, and its drops are counted."""
    text = BASIC.replace("formatter: bare}", "formatter: bare, filters: [mine]}")
    text += "filters: {mine: {(): test_configure.ThreadFilter}}\n"
    runtime, path = configure(tmp_path, text)
    logging.getLogger("a").info("yes")
    logging.getLogger("a").info("drop me")
    assert lines(path) == ["INFO a yes"]
    counts = runtime.stats()["handlers"]["out"]
    assert counts["filtered"] == {"ThreadFilter": 1}
    assert ThreadFilter.threads == {__import__("threading").get_ident()}


class ThreadFilter:
    threads: set = set()

    def filter(self, record):
        self.threads.add(__import__("threading").get_ident())
        return "drop" not in record.getMessage()


def test_imports_can_be_restricted(tmp_path):
    """imports=[...] refuses other dotted names, with their place."""
    text = BASIC.replace("type: file, path: PATH", "class: logging.StreamHandler")
    with pytest.raises(logroute.ConfigError) as caught:
        configure(tmp_path, text, imports=["myapp.*"])
    assert "LR904" in str(caught.value)
    configure(tmp_path, text, imports=["logging.*"])


def test_incremental_changes_levels_only(tmp_path):
    """incremental: true sets levels of what runs, our handlers included."""
    runtime, path = configure(tmp_path)
    logroute.configure({"version": 1, "incremental": True, "handlers": {"out": {"level": "ERROR"}}})
    logging.getLogger("a").warning("no")
    logging.getLogger("a").error("yes")
    assert lines(path) == ["ERROR a yes"]
    assert logroute.current() is runtime


def test_custom_levels_are_known(tmp_path):
    """Levels named in the file work in it and in the records."""
    text = BASIC.replace("level: INFO", "level: TRACE") + "levels: {TRACE: 5}\n"
    _, path = configure(tmp_path, text)
    logging.getLogger("a").log(5, "fine")
    assert lines(path) == ["TRACE a fine"]


def test_context_and_bound_fields_are_added(tmp_path):
    """Fields of the file's context and of bind() are on every record."""
    text = BASIC.replace("%(message)s", "%(message)s %(service)s %(user)s")
    _, path = configure(tmp_path, text + "context: {service: shop}\n")
    token = logroute.bind(user="eve")
    logging.getLogger("a").info("x")
    logroute.unbind(token)
    assert lines(path) == ["INFO a x shop eve"]


def test_routes_see_context_and_bound_fields(tmp_path):
    """A match on fields sees the file's context and what bind() added."""
    text = BASIC.replace("to: out", "to: out, match: {fields: {service: shop, user: eve}}")
    _, path = configure(tmp_path, text + "context: {service: shop}\n")
    logging.getLogger("a").info("no")
    token = logroute.bind(user="eve")
    logging.getLogger("a").info("yes")
    logroute.unbind(token)
    assert lines(path) == ["INFO a yes"]


def test_queue_defaults_hold_key_by_key(tmp_path):
    """A handler's queue options are laid over those of the file."""
    text = BASIC.replace("formatter: bare}", "formatter: bare, queue: {max_records: 7}}")
    runtime, path = configure(tmp_path, text + "queue: {mode: sync, max_records: 9}\n")
    assert runtime.workers["out"].queue.max_records == 7
    logging.getLogger("a").info("at once")
    assert path.read_text() == "INFO a at once\n"


def test_unmatched_warning_goes_to_stderr(tmp_path, capfd):
    """A record that no route wants is counted; WARNING and above is shown."""
    runtime, _ = configure(tmp_path, BASIC.replace("to: out", "to: out, match: {logger: only}"))
    logging.getLogger("a").info("quiet")
    logging.getLogger("a").warning("loud")
    assert runtime.flush(10)
    assert runtime.stats()["unmatched"] == 2
    assert capfd.readouterr().err == "loud\n"


def test_unmatched_can_be_dropped_or_kept(tmp_path, capfd):
    """unmatched: names handlers, or drop."""
    text = BASIC.replace("to: out", "to: [], match: {logger: only}")
    _, path = configure(tmp_path, text + "unmatched: out\n")
    logging.getLogger("a").warning("x")
    assert lines(path) == ["WARNING a x"]
    runtime, _ = configure(tmp_path, text.replace("out.log", "x") + "unmatched: drop\n")
    logging.getLogger("a").warning("y")
    assert runtime.flush(10)
    assert capfd.readouterr().err == ""


def test_environment_names_the_file(tmp_path, monkeypatch):
    """Without a source, LOGROUTE_CONFIG names the file."""
    path = tmp_path / "log.yaml"
    path.write_text(BASIC.replace("PATH", str(tmp_path / "out.log")))
    monkeypatch.setenv("LOGROUTE_CONFIG", str(path))
    logroute.configure()
    logging.getLogger("a").info("x")
    assert lines(tmp_path / "out.log") == ["INFO a x"]


def test_dict_with_our_keys_is_routed(tmp_path):
    """dictConfig with a key of ours does what configure does."""
    path = tmp_path / "out.log"
    logroute.dictConfig(
        {
            "version": 1,
            "handlers": {"out": {"type": "file", "path": str(path)}},
            "root": {"level": "INFO", "handlers": ["out"]},
        }
    )
    logging.getLogger("a").info("x")
    assert logroute.current() is not None
    assert lines(path)[0].endswith("x")


def test_later_dictconfig_does_not_break_faces(tmp_path):
    """stdlib's dictConfig closes every handler it knows; ours work on."""
    runtime, path = configure(tmp_path)
    face = runtime.handlers["out"]
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    logging.getLogger("a").info("x")
    face.handle(
        logging.makeLogRecord({"name": "b", "levelno": 20, "levelname": "INFO", "msg": "y"})
    )
    assert lines(path) == ["INFO a x", "INFO b y"]


def test_exit_drains(tmp_path):
    """A script that ends at once finds all its lines in the file."""
    path = tmp_path / "out.log"
    code = (
        "import logging, logroute, sys\n"
        f"logroute.configure({BASIC.replace('PATH', str(path))!r})\n"
        "for n in range(30000): logging.getLogger('a').info('%d', n)\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=60, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, b"")
    assert path.read_text().splitlines() == [f"INFO a {n}" for n in range(30000)]


def test_late_atexit_record_arrives(tmp_path):
    """A record from an atexit hook that runs after ours is delivered too."""
    path = tmp_path / "out.log"
    code = (
        "import atexit, logging, logroute\n"
        "atexit.register(lambda: logging.getLogger('late').error('bye'))\n"
        f"logroute.configure({BASIC.replace('PATH', str(path))!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
    assert path.read_text() == "ERROR late bye\n"


def test_forked_children_deliver(tmp_path):
    """Each forked child delivers its own records, also through multiprocessing."""
    path = tmp_path / "out.log"
    code = (
        "import logging, logroute, multiprocessing, os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "def work(n):\n"
        "    for i in range(200): logging.getLogger('c').info('%d-%d', n, i)\n"
        "if __name__ == '__main__':\n"
        f"    logroute.configure({BASIC.replace('PATH', str(path))!r})\n"
        "    logging.getLogger('p').info('before')\n"
        "    context = multiprocessing.get_context('fork')\n"
        "    children = [context.Process(target=work, args=(n,)) for n in range(3)]\n"
        "    for child in children: child.start()\n"
        "    for child in children: child.join()\n"
        "    if os.fork() == 0:\n"
        "        work(3)\n"
        "        logroute.flush(10)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
    found = path.read_text().splitlines()
    wanted = [f"INFO c {n}-{i}" for n in range(4) for i in range(200)] + ["INFO p before"]
    assert sorted(found) == sorted(wanted)


def test_runtimes_are_collected(tmp_path):
    """Many configure and shutdown cycles leave no runtime behind."""
    from logroute.engine.runtime import Runtime

    for n in range(20):
        configure(tmp_path, name=f"{n}.log")
        logging.getLogger("a").info("x")
        logroute.shutdown()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Runtime)]


def test_watch_needs_a_file(tmp_path):
    """watch=True with a text that names no file is refused, before anything runs."""
    with pytest.raises(ValueError, match="needs a file"):
        configure(tmp_path, watch=True)
    assert logroute.current() is None
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"class": "logging.FileHandler", "filename": "a.log", "delay": True, "encoding": "latin-1"},
        {"class": "logging.FileHandler", "filename": "a.log", "mode": "w", "errors": "replace"},
        {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
        {"class": "logging.StreamHandler"},
        {"class": "logging.NullHandler"},
    ],
)
def test_plain_handlers_are_made_as_stdlib_makes_them(tmp_path, monkeypatch, arguments):
    """Without stdlib's configurator they come out with the same attributes."""
    monkeypatch.chdir(tmp_path)
    document = {
        "version": 1,
        "formatters": {"f": {"format": "%(message)s"}},
        "handlers": {"h": {**arguments, "formatter": "f"}},
    }
    node, _ = parse(from_dict(document))
    parts = ForeignParts(node, "any")
    layout = logging.Formatter("%(message)s")
    parts.share("formatters", "f", layout)
    mine = parts.handler("h", document["handlers"]["h"])
    std = logging.config.DictConfigurator(document)
    std.config["formatters"]["f"] = layout
    theirs = std.configure_handler(std.config["handlers"]["h"])
    left_out = {"lock", "_lock", "stream"}
    assert type(mine) is type(theirs)
    assert _without(mine, left_out) == _without(theirs, left_out)
    for handler in (mine, theirs):
        handler.close()


def _without(handler, names):
    return {key: value for key, value in vars(handler).items() if key not in names}


def test_subclass_in_the_place_of_a_plain_handler_is_made(tmp_path, monkeypatch):
    """Who puts a class of their own into `logging` gets that, as with dictConfig."""

    class Loud(logging.FileHandler):
        pass

    monkeypatch.setattr(logging, "FileHandler", Loud)
    entry = {"class": "logging.FileHandler", "filename": str(tmp_path / "a.log"), "delay": True}
    node, _ = parse(from_dict({"version": 1, "handlers": {"h": entry}}))
    assert type(ForeignParts(node, "any").handler("h", entry)) is Loud
