"""Handlers with a spool, as programs use them: real servers, real ends of processes."""

import json
import signal

import pytest
from engine_kit import adds_up
from network_kit import run_child
from spool_programs import LOG, Programs, numbered

from logroute.receivers import TcpReceiver


@pytest.fixture
def programs(tmp_path):
    return Programs(tmp_path)


def test_records_wait_on_disk_for_a_dead_server(programs):
    """All arrive in order once the server is there; the ledger says where they were."""
    with programs.start(
        """
        runtime = configure()
        for n in range(2000):
            log.info("record %d", n)
        assert not runtime.flush(0.3)
        settle()
        while not counts()["last_error"]:
            time.sleep(0.01)
        print(json.dumps(counts()), flush=True)
        assert runtime.flush(20)
        print(json.dumps(counts()), flush=True)
        """
    ) as child:
        before = json.loads(child.stdout.readline())
        with TcpReceiver(port=programs.port) as receiver:
            after = json.loads(child.stdout.readline())
            assert child.wait(20) == 0 and receiver.wait_for(2000, 10)
    assert receiver.received == [text.encode() for text in numbered(2000)]
    assert before["spooled"] == 2000 == before["queued"] + before["in_flight"]
    assert before["state"] in ("failing", "open") and "stays in the spool" in before["last_error"]
    assert after["delivered"] == after["enqueued"] == 2000 and after["state"] == "ok"


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "logroute.shutdown()"])
def test_program_ends_at_once_and_the_next_one_delivers(programs, end):
    """Fault 4: at a dead server the exit waits for nothing, and says what stays."""
    _, errors = programs.run(
        f"""
        runtime = configure(more={{"shutdown_timeout": "60s"}})
        {LOG.format(count=300).replace(chr(10), chr(10) + " " * 8)}
        {end}
        """
    )
    assert "300 records stay in the spool" in errors
    assert programs.deliver(300) == numbered(300)


@pytest.mark.parametrize("end", ["", "logroute.shutdown()", "logroute.shutdown(0)"])
def test_end_without_time_costs_nothing_that_has_a_spool(programs, end):
    """The way to the disk is short: it has its time though that of the shutdown is up."""
    _, errors = programs.run(
        f"""
        runtime = configure(more={{"shutdown_timeout": 0}})
        {LOG.format(count=4000).replace(chr(10), chr(10) + " " * 8)}
        {end}
        """
    )
    assert "4000 records stay in the spool" in errors and "did not deliver" not in errors
    assert programs.deliver(4000) == numbered(4000)


@pytest.mark.parametrize("write", ["worker", "caller", "sync"])
def test_hard_exit_costs_nothing_that_is_on_disk(programs, write):
    """Fault 5: os._exit loses nothing that the caller wrote, or that was seen on disk."""
    options = {"queue": {"mode": "sync"}} if write == "sync" else {"spool": {"write": write}}
    programs.run(
        f"""
        runtime = configure(**{options})
        {LOG.format(count=300).replace(chr(10), chr(10) + " " * 8)}
        if "{write}" == "worker":
            while counts()["spooled"] < 300:
                time.sleep(0.001)
        os._exit(5)
        """,
        code_at_end=5,
    )
    assert programs.deliver(300) == numbered(300)


def test_kill_costs_nothing_that_was_logged(programs):
    """Fault 1: `write: caller` survives kill -9 from the return of the call on."""
    arrived, logged = [], 0
    for round in range(5):
        with programs.start(
            f"""
            runtime = configure(spool={{"write": "caller"}})
            for n in range(100_000):
                log.info("record {round}.%d", n)
                os.write(1, b"%d\\n" % n)
            """
        ) as child:
            for _ in range(400 + 100 * round):
                last = child.stdout.readline()
            child.kill()
            rest = child.stdout.read().splitlines()
        logged += int((rest or [last])[-1] if rest and rest[-1] else last) + 1
    arrived = programs.deliver(logged)
    for round in range(5):
        numbers = [
            int(text.split(".")[1]) for text in arrived if text.startswith(f"record {round}.")
        ]
        assert numbers == list(range(len(numbers)))
    assert logged <= len(arrived) <= logged + 5  # the one that was written and not yet told


def test_terminated_program_loses_nothing(programs):
    """Fault 2: SIGTERM, which ends a program without any hook, after the call returned."""
    with programs.start(
        """
        runtime = configure(spool={"write": "caller"})
        for n in range(300):
            log.info("record %d", n)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        """
    ) as child:
        assert child.wait(20) == -signal.SIGTERM
    assert programs.deliver(300) == numbered(300)


def test_broken_connections_lose_nothing(programs):
    """What a peer's kernel has not confirmed is not acknowledged on disk, and comes again."""
    with (
        programs.start(
            """
        runtime = configure()
        for n in range(4000):
            log.info("record %d", n)
            if n % 40 == 0:
                time.sleep(0.01)
        assert runtime.flush(20)
        print(json.dumps(counts()))
        """
        ) as child,
        TcpReceiver(port=programs.port) as receiver,
    ):
        for part in range(1, 4):
            assert receiver.wait_for(part * 800, 20)
            receiver.drop_connections()
        told, errors = child.communicate(timeout=40)
        assert child.returncode == 0, errors
        assert receiver.wait_for(4000, 10)
    assert set(receiver.received) >= {text.encode() for text in numbered(4000)}
    assert json.loads(told)["delivered"] == 4000


def test_full_spool_counts_what_it_refuses(programs):
    """Records beyond `max_bytes` are dropped as `spool_full`; those in it arrive."""
    told, errors = programs.run(
        """
        runtime = configure(spool={"max_bytes": 20_000})
        for n in range(1000):
            log.info("record %d", n)
        runtime.flush(0.5)
        settle()
        print(json.dumps(counts()))
        """
    )
    spooled = told["spooled"]
    assert told["dropped"] == {"spool_full": 1000 - spooled} and 100 < spooled < 1000
    assert "spool_full" in errors
    assert programs.deliver(spooled) == numbered(spooled)


def test_oldest_go_where_that_is_wanted(programs):
    """With `overflow: drop_oldest` a full spool keeps the newest records."""
    told, _ = programs.run(
        """
        runtime = configure(spool={"max_bytes": 20_000}, queue={"overflow": "drop_oldest"})
        for n in range(1000):
            log.info("record %d", n)
            if n % 100 == 0:
                time.sleep(0.02)
        runtime.flush(0.5)
        settle()
        print(json.dumps(counts()))
        """
    )
    lost = told["dropped"]["spool_full"]
    assert told["enqueued"] == 1000 == lost + told["queued"] + told["in_flight"]
    arrived = programs.deliver(1000 - lost)
    assert arrived[-1] == "record 999" and len(arrived) == 1000 - lost


def test_full_disk_stops_nobody(programs):
    """The application goes on; what the disk did not take is counted, the rest arrives."""
    told, _ = programs.run(
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
        runtime = configure(queue={"max_records": 100, "block_for": "0.1s"})
        for n in range(1000):
            log.info("record %d", n)
            if n in (74, 149):  # no more than the queue and the disk take
                settle()
        runtime.flush(0.5)
        runtime.shutdown()
        print(json.dumps(counts()))
        """
    )
    arrived = programs.deliver(told["spooled"])
    assert arrived == numbered(1000)[: len(arrived)] and len(arrived) == told["spooled"] > 50
    assert told["enqueued"] == 1000 == sum(told["dropped"].values()) + told["spooled"]


def test_children_write_series_of_their_own(programs):
    """A forked child spools for itself; what all of them left arrives once."""
    programs.run(
        """
        runtime = configure(spool={"write": "caller"})
        log.info("parent 0")
        pids = []
        for child in range(3):
            pid = os.fork()
            if not pid:
                for n in range(50):
                    log.info("child %d.%d", child, n)
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            assert os.waitpid(pid, 0)[1] == 0
        log.info("parent 1")
        """
    )
    expected = ["parent 0", "parent 1", *(f"child {c}.{n}" for c in range(3) for n in range(50))]
    assert sorted(programs.deliver(len(expected))) == sorted(expected)


def test_changed_handler_takes_over_the_spool(programs, tmp_path):
    """A reload that changes the handler loses nothing that lies on disk."""
    path = tmp_path / "config.json"
    with (
        programs.start(
            f"""
        path = {str(path)!r}
        def write(port):
            target = {{"type": "socket", "address": f"127.0.0.1:{{port}}",
                      "spool": {{"path": {programs.spool!r}}}, "formatter": "bare"}}
            text = {{"version": 1, "handlers": {{"out": target}}, "routes": [{{"to": "out"}}],
                    "formatters": {{"bare": {{"format": "%(message)s"}}}}, "root": {{"level": 20}}}}
            Path(path).write_text(json.dumps(text))
        write(1)
        runtime = logroute.configure(path)
        for n in range(200):
            log.info("record %d", n)
        assert not runtime.flush(0.2)
        settle()
        write({programs.port})
        assert runtime.reload().outcome.value == "swapped"
        for n in range(200, 400):
            log.info("record %d", n)
        while counts()["delivered"] < 400:
            time.sleep(0.01)
        print(json.dumps(runtime.stats()))
        """
        ) as child,
        TcpReceiver(port=programs.port) as receiver,
    ):
        out, errors = child.communicate(timeout=40)
        assert child.returncode == 0, errors
        received = [data.decode() for data in receiver.received if b"record" in data]
    assert sorted(received) == sorted(numbered(400))
    assert json.loads(out)["handlers"]["out"]["recovered"] == 200


RELOADED = """
        path = {path!r}
        def write(port, spool):
            target = {{"type": "socket", "address": f"127.0.0.1:{{port}}",
                      "spool": {{"path": spool, "write": "{write}"}}, "formatter": "bare"}}
            text = {{"version": 1, "shutdown_timeout": "50ms",
                    "handlers": {{"out": target}}, "routes": [{{"to": "out"}}],
                    "formatters": {{"bare": {{"format": "%(message)s"}}}}, "root": {{"level": 20}}}}
            Path(path).write_text(json.dumps(text))
        write(1, {spool!r})
        runtime = logroute.configure(path)
        for n in range(200):
            log.info("record %d", n)
"""


@pytest.mark.parametrize("write", ["worker", "caller"])
def test_flush_covers_what_the_former_handler_left(programs, tmp_path, write):
    """A flush after a reload is done when what was logged before it has arrived, too."""
    text = RELOADED.format(path=str(tmp_path / "c.json"), spool=programs.spool, write=write)
    with (
        TcpReceiver(port=programs.port) as receiver,
        programs.start(
            f"""{text}
        write({programs.port}, {programs.spool!r})
        assert runtime.reload().outcome.value == "swapped"
        assert runtime.flush(20)
        print(json.dumps(runtime.stats()))
        """
        ) as child,
    ):
        out, errors = child.communicate(timeout=40)
        assert child.returncode == 0, errors
        assert receiver.wait_for(201, 10)
        received = [data.decode() for data in receiver.received if b"record" in data]
    assert received == numbered(200)
    stats = json.loads(out)
    assert stats["handlers"]["out"]["delivered"] == 201  # and that the config was read again
    assert stats["retired"]["out"]["queued"] == 200


def test_flush_tells_of_what_stays_in_another_spool(programs, tmp_path):
    """What no handler of the new config delivers is not settled: it stays on disk."""
    text = RELOADED.format(path=str(tmp_path / "c.json"), spool=programs.spool, write="worker")
    with TcpReceiver(port=programs.port):
        _, errors = programs.run(
            f"""{text}
        write({programs.port}, {str(tmp_path / "other")!r})
        assert runtime.reload().outcome.value == "swapped"
        assert not runtime.flush(20)
        assert runtime.retired.finish_by(20)  # the former handler has ended
        assert runtime.flush(20)
        """
        )
    assert "200 records stay in the spool" in errors
    assert programs.deliver(200) == numbered(200)


def test_refused_records_become_dead_letters(tmp_path):
    """What the server refuses for good leaves the spool; what it cannot take now stays."""
    told = run_child(
        f"""
        import json
        with HttpReceiver() as receiver:
            receiver.answer(400)
            for _ in range(2):
                receiver.answer(503)
            configure(type="http", url=receiver.url, proxy="none",
                      spool={{"path": {str(tmp_path / "spool")!r}}},
                      dead_letter={{"path": {str(tmp_path / "dead.jsonl")!r}}})
            log.info("refused")
            assert runtime.flush(10)
            log.info("delivered later")
            assert runtime.flush(10)
            told = counts()
            runtime.shutdown()
        tell(**told)
        """
    )
    assert told["dead_lettered"] == 1 == told["delivered"]
    letter = json.loads((tmp_path / "dead.jsonl").read_text())
    assert letter["reason"] == "rejected" and letter["record"]["message"] == "refused"


def test_caller_writes_what_filters_and_conditions_let_through(programs, tmp_path):
    """`write: caller` beside another handler: each record once, filters and levels in force."""
    log_path = tmp_path / "app.log"
    told, _ = programs.run(
        f"""
        runtime = configure(more={{
            "filters": {{"tidy": {{"type": "dedupe", "window": "1h"}}}},
            "handlers": {{
                "out": {{"type": "socket", "address": "127.0.0.1:{programs.port}",
                        "formatter": "bare", "filters": ["tidy"], "level": "INFO",
                        "spool": {{"path": {programs.spool!r}, "write": "caller"}}}},
                "file": {{"type": "file", "path": {str(log_path)!r}, "formatter": "bare"}},
            }},
            "routes": [{{"to": "file"}}, {{"match": {{"message": "record"}}, "to": "out"}}],
        }})
        for n in range(100):
            log.info("record %d", n)
        log.info("other")
        log.debug("record below")
        log.info("record %d", 99)
        done = counts()["spooled"]
        assert runtime.stats()["handlers"]["file"]["enqueued"] <= 103
        signal.signal(signal.SIGUSR1, lambda *_: log.info("record from a signal"))
        os.kill(os.getpid(), signal.SIGUSR1)
        print(json.dumps([done, counts()]))
        """
    )
    done, told = told
    assert done == 100 and told["spooled"] == 101 and told["filtered"] == {"tidy": 1}
    assert told["enqueued"] == 102 and adds_up(told) and told["in_flight"] >= 0
    assert programs.deliver(101) == [*numbered(100), "record from a signal"]
    assert len(log_path.read_text().splitlines()) == 104


def test_mail_digest_comes_from_the_spool(tmp_path):
    """A digest waits on disk for its time, and is one mail."""
    told = run_child(
        f"""
        with SmtpReceiver() as receiver:
            configure(type="email", host="127.0.0.1", port=receiver.port, security="none",
                      to=["ops@x.example"], batch={{"max_wait": "1h"}},
                      spool={{"path": {str(tmp_path)!r}}}, **{{"from": "app@x.example"}})
            for n in range(20):
                log.error("record %d", n)
            assert runtime.flush(10)
            told = counts()
            runtime.shutdown()
            tell(delivered=told["delivered"], mails=len(receiver.received))
        """
    )
    assert told["delivered"] == 20 and told["mails"] == 1


def test_formatter_of_the_face_is_heeded(programs):
    """`setFormatter` on the handler of a spool changes the records to come."""
    with TcpReceiver(port=programs.port) as receiver:
        programs.run(
            """
            runtime = configure()
            log.info("one")
            assert runtime.flush(10)
            runtime.handlers["out"].setFormatter(logging.Formatter("<%(message)s>"))
            log.info("two")
            """
        )
        assert receiver.wait_for(2, 10)
    assert receiver.received == [b"one", b"<two>"]
