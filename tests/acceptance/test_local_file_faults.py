"""Faults of local files, and what stdlib's defaults lose, as programs meet them."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

HEAD = """
import json, logging, os, resource, sys
import logroute

log = logging.getLogger("app")

def configure(path, **more):
    return logroute.configure({
        "version": 1, "formatters": {"bare": {"format": "%(message)s"}},
        "handlers": {"out": {"type": "file", "path": path, "formatter": "bare"}},
        "root": {"level": "INFO"}, "routes": [{"to": "out"}], **more,
    })

def counts(runtime):
    return runtime.stats()["handlers"]["out"]
"""


def run(folder, code):
    """Return what a program prints as JSON last; it ends well, and in time."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + textwrap.dedent(code)],
        capture_output=True,
        check=False,
        cwd=folder,
        timeout=60,
    )
    errors = done.stderr.decode()
    assert done.returncode == 0 and "Traceback" not in errors, errors[-2000:]
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


def lines(path):
    return path.read_text().splitlines()


def test_file_at_its_largest_size_stops_nobody(tmp_path):
    """Fault 51: RLIMIT_FSIZE raises nothing into the application; what is lost is counted."""
    told = run(
        tmp_path,
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        runtime = configure("app.log", queue={"max_records": 50, "block_for": "10ms"})
        for n in range(500):
            log.info("record %d", n)
            if n in (40, 80, 120):  # so far it has room
                assert runtime.flush(10)
        runtime.shutdown(timeout=1)
        print(json.dumps(counts(runtime)))
        """,
    )
    whole, _, _ = (tmp_path / "app.log").read_text().rpartition("\n")  # a half line may follow
    written = whole.splitlines()
    assert written == [f"record {n}" for n in range(len(written))]
    assert told["delivered"] == len(written) > 100
    assert told["enqueued"] == 500 == told["delivered"] + sum(told["dropped"].values())


@pytest.mark.parametrize("how", ["os.remove('app.log')", "os.rename('app.log', 'old.log')"])
def test_file_that_is_moved_away_is_begun_anew(tmp_path, how):
    """Fault 52: without a signal, what comes later is at the path that the config names."""
    run(
        tmp_path,
        f"""
        runtime = configure("app.log")
        log.info("before")
        assert runtime.flush(10)
        {how}
        for n in range(100):
            log.info("record %d", n)
        """,
    )
    assert lines(tmp_path / "app.log") == [f"record {n}" for n in range(100)]


def test_file_that_is_cut_goes_on_at_its_start(tmp_path):
    """Fault 53: copytruncate leaves no hole of NULs in front of what comes next."""
    run(
        tmp_path,
        """
        runtime = configure("app.log")
        log.info("before")
        assert runtime.flush(10)
        os.truncate("app.log", 0)
        log.info("behind")
        """,
    )
    assert (tmp_path / "app.log").read_bytes() == b"behind" + os.linesep.encode()


def test_levels_of_handlers_are_heeded_behind_queues(tmp_path):
    """Fault 61: a handler at ERROR gets errors only, without being asked to respect it."""
    run(
        tmp_path,
        """
        logroute.dictConfig({
            "version": 1, "formatters": {"bare": {"format": "%(message)s"}},
            "handlers": {"errors": {"class": "logging.FileHandler", "filename": "errors.log",
                                    "formatter": "bare", "level": "ERROR"}},
            "root": {"level": "INFO", "handlers": ["errors"]},
        })
        late = logging.getLogger("late")
        for n in range(10):
            late.info("record %d", n)
        late.error("failed")
        """,
    )
    assert lines(tmp_path / "errors.log") == ["failed"]


def test_loggers_made_before_the_config_go_on(tmp_path):
    """Fault 62: a module's logger that is older than the config is not switched off."""
    run(
        tmp_path,
        """
        early = logging.getLogger("early.module")
        runtime = configure("app.log")
        early.info("heard")
        """,
    )
    assert lines(tmp_path / "app.log") == ["heard"]
