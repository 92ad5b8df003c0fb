"""Application servers and task queues: faults 23 to 25 of the catalogue, real ones."""

import json
import re
import signal
import sys
from pathlib import Path

import pytest
from life_kit import ask_both, messages, serve, wait_for

from logroute.receivers import HttpReceiver

DOCS = Path(__file__).parents[3] / "docs/frameworks.md"
APP = """
import logging, os, time
import logroute

logroute.configure("logging.json")
log = logging.getLogger("app")
log.info("loaded %d", os.getpid())
with open("threads", "a") as target:
    target.write(f"{len(os.listdir('/proc/self/task'))} ")

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/warm-up":
        time.sleep(0.01)  # so that the next one goes to another worker
    else:
        log.info("request %s", environ["PATH_INFO"].strip("/"))
    return [str(os.getpid()).encode()]
"""


def write_config(folder, web):
    """Write a config with a file and a web service."""
    handlers = {
        "out": {"type": "file", "path": str(folder / "out.log"), "formatter": "bare"},
        "web": {"type": "http", "url": web.url, "proxy": "none", "body": "ndjson"},
    }
    config = {
        "version": 1,
        "formatters": {"bare": {"format": "%(message)s"}},
        "handlers": handlers,
        "root": {"level": "INFO"},
        "routes": [{"match": {"logger": "app"}, "to": list(handlers)}],
    }
    (folder / "logging.json").write_text(json.dumps(config))
    (folder / "application.py").write_text(APP)


def expect_requests(scenario, web, count, *, loads):
    """Check that both destinations have each request once, and each load of the module."""
    requests = sorted(f"request {n}" for n in range(count))
    for lines in (scenario.lines(), messages(web.received)):
        assert sorted(line for line in lines if line.startswith("request")) == requests
        assert len([line for line in lines if line.startswith("loaded")]) == loads
        assert len(lines) == count + loads


@pytest.mark.parametrize("preload", [True, False])
def test_gunicorn_loses_nothing(tmp_path, preload):
    """Fault 23: 100 requests to two workers, SIGTERM to the master, with and without preload."""
    with HttpReceiver() as web:
        write_config(tmp_path, web)
        command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"unix:{tmp_path}/s"]
        command += [
            "--no-control-socket",
            "--worker-tmp-dir",
            str(tmp_path),
            "--log-level",
            "warning",
        ]
        command += ["--preload"] * preload + ["application:app"]
        with serve(tmp_path, command, timeout_s=30) as server:
            ask_both(tmp_path / "s", 100)
            server.send(signal.SIGTERM)
            assert server.wait() == 0, server.err
        expect_requests(server, web, 100, loads=1 if preload else 2)


@pytest.mark.parametrize("options", [[], ["--lazy-apps"], ["--enable-threads"]])
def test_uwsgi_loses_nothing(tmp_path, options):
    """Fault 25: 60 requests, no at-fork hooks, no Python thread in the master; 0 hung boots."""
    with HttpReceiver() as web:
        write_config(tmp_path, web)
        command = [f"{sys.prefix}/bin/uwsgi", "--master", "--processes", "2"]
        command += ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all"]
        command += ["--need-app", "--disable-logging"]
        command += ["--http-socket", str(tmp_path / "s"), "--home", sys.prefix]
        command += ["--wsgi-file", "application.py", "--callable", "app", *options]
        with serve(tmp_path, command, timeout_s=30) as server:
            ask_both(tmp_path / "s", 60)
            server.send(signal.SIGTERM)
            server.wait()
        expect_requests(server, web, 60, loads=2 if "--lazy-apps" in options else 1)
    if "--lazy-apps" not in options:
        assert (tmp_path / "threads").read_text() == "1 "


TASKS = """
import logging
import celery
import logroute

app = celery.Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "broker", "data_folder_out": "broker", "control_folder": "control",
}
app.conf.worker_cancel_long_running_tasks_on_connection_loss = True
log = logging.getLogger("app")

@app.task
def work(n):
    log.info("request %d", n)
"""
(CELERY,) = re.findall(r"```py\n(.*?)```", DOCS.read_text(), re.DOTALL)


def test_celery_prefork_loses_nothing(tmp_path):
    """Fault 24: 60 tasks in two prefork children, then a warm shutdown."""
    with HttpReceiver() as web:
        write_config(tmp_path, web)
        (tmp_path / "tasks.py").write_text(TASKS + CELERY.replace("logging.yaml", "logging.json"))
        for name in ("broker", "control"):
            (tmp_path / name).mkdir()
        send = "import tasks\nfor n in range(60): tasks.work.delay(n)"
        with serve(tmp_path, [sys.executable, "-c", send]) as sender:
            assert sender.wait() == 0, sender.err
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", "prefork"]
        command += ["-c", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        web.answer(delay_s=0.2, times=None)  # so that records wait when the end comes
        with serve(tmp_path, command, timeout_s=40) as worker:
            wait_for(lambda: not any((tmp_path / "broker").iterdir()))
            worker.send(signal.SIGTERM)
            assert worker.wait() == 0, worker.err
        expect_requests(worker, web, 60, loads=0)
