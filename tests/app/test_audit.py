"""`audit: true` from a file to its destination: what is raised, to whom, and what is not."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest
from engine_kit import adds_up
from reload_kit import File

import logroute
from logroute.engine.audit import audit
from logroute.errors import AuditError
from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver

CONFIG = """\
version: 1
formatters: {bare: {format: "%(message)s"}}
handlers:
  ledger: LEDGER
  all: {type: file, path: DIR/all.log, formatter: bare}
root: {level: INFO}
routes:
  - {name: books, match: {logger: shop.books}, to: ledger, audit: true}
  - {to: all}
"""
FILE = "{type: file, path: DIR/ledger.log, formatter: bare}"
books = logging.getLogger("shop.books")


def start(tmp_path, ledger=FILE, text=CONFIG):
    file = File(tmp_path, text.replace("LEDGER", ledger))
    return file, file.configure()


def counts(runtime, name="ledger"):
    found = runtime.stats()["handlers"][name]
    assert adds_up(found)
    return found["delivered"], found["dropped"]


def test_line_is_in_the_file_when_the_call_returns(tmp_path):
    """The audited record needs no flush; the others of its routes come as ever."""
    file, runtime = start(tmp_path)
    books.info("paid %d", 3)
    assert (tmp_path / "ledger.log").read_text() == "paid 3\n"
    assert file.lines("all.log") == ["paid 3"]
    assert counts(runtime) == (1, {})


@pytest.mark.parametrize("name", ["shop.books", "shop.books.eu"])
@pytest.mark.parametrize("own", ["", "loggers: {shop: {handlers: all}}\n"])
def test_error_reaches_who_logged(tmp_path, name, own):
    """Whatever logger is used, and whatever handlers it has, the call raises."""
    file, runtime = start(tmp_path, "{type: file, path: /dev/full, formatter: bare}", CONFIG + own)
    with pytest.raises(AuditError, match="handler `ledger`") as caught:
        logging.getLogger(name).info("paid")
    assert "No space left" in str(caught.value.__cause__)
    assert file.lines("all.log") == ["paid"]
    assert counts(runtime) == (0, {"audit_failed": 1})


def test_other_loggers_see_no_error(tmp_path):
    """Records of other routes never raise, though they go to the same handler."""
    text = CONFIG.replace("{to: all}", "{to: [all, ledger]}")
    _, runtime = start(tmp_path, "{type: file, path: /dev/full, formatter: bare}", text)
    logging.getLogger("shop").info("hello")
    assert counts(runtime)[1].get("audit_failed") is None


def test_http_answer_decides(tmp_path):
    """A refusal and a server in trouble are raised after one attempt; an answer is waited for."""
    with HttpReceiver() as server:
        _, runtime = start(tmp_path, f'{{type: http, url: "{server.url}"}}')
        server.answer(503)
        server.answer(400)
        for _ in range(2):
            with pytest.raises(AuditError):
                books.info("paid")
        books.info("paid")
        assert len(server.received) == 3
        assert counts(runtime) == (1, {"audit_failed": 2})
        runtime.shutdown(5)


def test_stream_is_acknowledged(tmp_path):
    """Over TCP the record is at the peer's kernel when the call returns."""
    with TcpReceiver() as server:
        ledger = f'{{type: socket, address: "{server.address}"}}'
        _, runtime = start(tmp_path, ledger)
        books.info("paid")
        assert runtime.workers["ledger"]._sink.held == 0
        assert server.wait_for(1) and json.loads(server.received[0])["message"] == "paid"
    with pytest.raises(AuditError):
        for _ in range(3):  # the end of the connection may show late
            books.info("lost")
    runtime.shutdown(5)


def test_open_breaker_is_not_waited_for(tmp_path):
    """Once a destination keeps failing, the error comes without an attempt."""
    with HttpReceiver() as server:
        url, breaker = server.url, "{failures: 2, probe_after: 1h, max_probe_after: 1h}"
        _, runtime = start(tmp_path, f'{{type: http, url: "{url}", breaker: {breaker}}}')
        server.answer(503, times=None)
        texts = []
        for _ in range(3):
            with pytest.raises(AuditError) as caught:
                books.info("paid")
            texts.append(str(caught.value))
        assert len(server.received) == 2 and "keeps failing" in texts[-1]
        runtime.shutdown(5)


def test_mail_goes_at_once(tmp_path):
    """An audited mail waits for no digest, and fails where `max_per_hour` is used up."""
    with SmtpReceiver() as server:
        ledger = (
            f"{{type: email, host: 127.0.0.1, port: {server.port}, security: none, from: a@b.org, "
            "to: c@d.org, max_per_hour: 1}"
        )
        start(tmp_path, ledger)
        books.info("paid")
        assert len(server.received) == 1
        with pytest.raises(AuditError, match="max_per_hour"):
            books.info("paid")


def test_ring_only_keeps(tmp_path):
    """A `memory` handler keeps the record, as ever, and fails no audit."""
    _, runtime = start(tmp_path, "{type: memory, target: all}")
    books.info("paid")
    assert runtime.flush(5) and (tmp_path / "all.log").read_text() == "paid\n"
    assert runtime.stats()["handlers"]["ledger"]["enqueued"] == 1


class Broken(logging.Handler):
    """A handler of the application that fails as stdlib's do: `handleError` is called."""

    def emit(self, record):
        try:
            raise RuntimeError(f"cannot keep {record.getMessage()}")
        except RuntimeError:
            self.handleError(record)


def test_handler_of_others_is_heard(tmp_path):
    """What stdlib's handlers swallow is raised."""
    _, runtime = start(tmp_path, f"{{class: {__name__}.Broken}}")
    with pytest.raises(AuditError, match="cannot keep paid"):
        books.info("paid")
    assert counts(runtime) == (0, {"audit_failed": 1})


def test_signal_and_event_loop_deliver(tmp_path):
    """A signal's handler and a coroutine get what they asked for: the call waits."""
    start(tmp_path)
    former = signal.signal(signal.SIGUSR1, lambda *_: books.info("from the signal"))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, former)

    async def log():
        books.info("from the loop")

    asyncio.run(log())
    assert (tmp_path / "ledger.log").read_text() == "from the signal\nfrom the loop\n"


def test_face_of_a_handler_is_not_audited(tmp_path):
    """A handler used directly takes no route, so it is asynchronous and never raises."""
    _, runtime = start(tmp_path, "{type: file, path: /dev/full, formatter: bare}")
    face = runtime.handlers["ledger"]
    face.handle(logging.LogRecord("shop.books", 20, "", 0, "direct", None, None))
    assert counts(runtime)[1].get("audit_failed") is None


def test_reload_brings_audits(tmp_path):
    """A route that a reload makes audited raises from then on, and one that it ends no more."""
    plain = CONFIG.replace(", audit: true", "")
    full = "{type: file, path: /dev/full, formatter: bare}"
    file, runtime = start(tmp_path, full, plain)
    books.info("asynchronous")
    file.reload(CONFIG.replace("LEDGER", full))
    with pytest.raises(AuditError):
        books.info("paid")
    file.reload(plain.replace("LEDGER", full))
    books.info("asynchronous")
    assert counts(runtime)[1]["audit_failed"] == 1


def test_decision_of_before_is_renewed(tmp_path):
    """A record decided on before a reload takes the handlers of after it."""
    file, runtime = start(tmp_path)
    old = runtime.dispatcher.decide("shop.books", 20, "root")
    file.reload(CONFIG.replace("LEDGER", FILE.replace("ledger.log", "other.log")))
    record = logging.LogRecord("shop.books", 20, "", 0, "paid", None, None)
    assert audit(runtime, (record, old, None))
    assert (tmp_path / "other.log").read_text() == "paid\n"
    file.reload(CONFIG.replace(", audit: true", "").replace("LEDGER", FILE))
    assert not audit(runtime, (record, old, None))


CHILD = """
import logging, os, sys
import logroute
logroute.configure(sys.argv[1])
books = logging.getLogger("shop.books")
books.info("parent")
pid = os.fork()
if not pid:
    books.info("child")
    os._exit(0 if logroute.flush(10) else 1)
assert os.waitpid(pid, 0)[1] == 0
class Late:
    def __del__(self):
        books.info("late")
late = Late()
"""


def test_forked_child_and_the_end_of_the_process(tmp_path):
    """A forked child delivers at once, and so does what is logged at the very end."""
    file = File(tmp_path, CONFIG.replace("LEDGER", FILE))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CHILD, file.path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(logroute.__file__))},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "ledger.log").read_text() == "parent\nchild\nlate\n"
    assert sorted((tmp_path / "all.log").read_text().split()) == ["child", "late", "parent"]


def test_handler_that_a_reload_replaces_is_found(tmp_path, monkeypatch):
    """Where the handler ends between routing and delivery, the one in its place delivers."""
    file, runtime = start(tmp_path)
    other = CONFIG.replace("LEDGER", FILE.replace("ledger.log", "other.log"))
    worker = runtime.workers["ledger"]
    deliver = worker.deliver_at_once

    def late(*what):
        monkeypatch.setattr(worker, "deliver_at_once", deliver)
        thread = threading.Thread(target=file.reload, args=(other,))
        thread.start()
        thread.join()
        assert runtime.retired.finish_by(10)
        return deliver(*what)

    monkeypatch.setattr(worker, "deliver_at_once", late)
    books.info("paid")
    assert (tmp_path / "other.log").read_text() == "paid\n"
    assert (counts(runtime), runtime.stats()["retired"]["ledger"]["enqueued"]) == ((1, {}), 0)


@pytest.mark.parametrize("write", ["worker", "caller"])
def test_spooled_record_is_on_the_disk(tmp_path, write):
    """With a spool the record is safe on disk when the call returns, whatever the server does."""
    ledger = (
        f"{{type: http, url: 'http://127.0.0.1:9/in', spool: {{path: DIR/spool, write: {write}}}}}"
    )
    _, runtime = start(tmp_path, ledger)
    books.info("paid")
    assert runtime.workers["ledger"].spool.waiting == 1
    found = runtime.stats()["handlers"]["ledger"]
    assert adds_up(found) and (found["enqueued"], found["dropped"]) == (1, {})


def test_full_disk_is_raised_before_a_spool(tmp_path):
    """Where not even the spool can take the record, the call raises."""
    (tmp_path / "spool").write_text("no folder")
    ledger = "{type: http, url: 'http://127.0.0.1:9/in', spool: {path: DIR/spool/x}}"
    _, runtime = start(tmp_path, ledger)
    with pytest.raises(AuditError, match="ledger"):
        books.info("paid")
    assert counts(runtime) == (0, {"audit_failed": 1})
