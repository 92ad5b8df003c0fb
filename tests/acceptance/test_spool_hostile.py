"""Handlers with a spool in hostile places: signals, removed folders, hung destinations."""

import contextlib
import json
import signal
import socket

import pytest
from spool_programs import LOG, Programs, indented, numbered

from logroute.receivers import TcpReceiver


@pytest.fixture
def programs(tmp_path):
    return Programs(tmp_path)


@pytest.fixture
def blackhole(programs):
    """Let nobody in at the address of the programs."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", programs.port))
        server.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", programs.port))
        yield


def test_ledger_counts_what_callers_write(programs):
    """Each record counts once, whoever brings it to the disk; no number is below 0."""
    told, _ = programs.run(
        f"""
        runtime = configure(spool={{"write": "caller"}})
        {indented(LOG.format(count=300))}
        runtime.handlers["out"].handle(log.makeRecord("app", 20, "", 0, "direct", (), None))
        stats = runtime.stats()
        print(json.dumps([counts(), stats["accepted"]]))
        """
    )
    ledger, accepted = told
    assert ledger["enqueued"] == 301 == ledger["queued"] + ledger["in_flight"] == accepted
    assert ledger["in_flight"] >= 0


def test_signal_amid_an_append_loses_nothing(programs):
    """Fault 26: what a signal's handler logs while its thread writes is there too."""
    told, _ = programs.run(
        """
        runtime = configure(spool={"write": "caller"})
        hits = 0
        def hit(*_):
            global hits
            hits += 1
            log.info("signal %d", hits)
        signal.signal(signal.SIGALRM, hit)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for n in range(4000):
            log.info("record %d", n)
        signal.setitimer(signal.ITIMER_REAL, 0)
        runtime.flush(0.5)
        settle()
        print(json.dumps([hits, counts(), runtime.stats()["internal"]]))
        """
    )
    hits, ledger, internal = told
    assert hits > 20 and internal == 0 and ledger["spooled"] == 4000 + hits


def test_formatter_that_logs_ends(programs):
    """Fault 31: one record of the application makes two at most, whoever formats it."""
    told, _ = programs.run(
        """
        class Chatty(logging.Formatter):
            def format(self, record):
                log.info("from the formatter")
                return super().format(record)
        runtime = configure(spool={"write": "caller"},
                            more={"formatters": {"bare": {"()": Chatty, "fmt": "%(message)s"}}})
        for n in range(10):
            log.info("record %d", n)
        runtime.flush(0.5)
        settle()
        print(json.dumps(counts()["spooled"]))
        """
    )
    assert told == 20


def test_full_intake_refuses_nothing_that_is_written(programs, tmp_path):
    """A record that lies on disk does not count as dropped though others lost it."""
    told, _ = programs.run(
        f"""
        runtime = configure(spool={{"write": "caller"}}, more={{
            "handlers": {{
                "out": {{"type": "socket", "address": "127.0.0.1:1", "formatter": "bare",
                        "spool": {{"path": {programs.spool!r}, "write": "caller"}}}},
                "file": {{"type": "file", "path": {str(tmp_path / "app.log")!r}}},
            }},
            "routes": [{{"to": ["out", "file"]}}],
        }})
        runtime.intake.most = 0
        {indented(LOG.format(count=10))}
        stats = runtime.stats()["handlers"]
        print(json.dumps([stats["out"], stats["file"]]))
        """
    )
    out, file = told
    assert out["enqueued"] == 10 == out["spooled"] and out["dropped"] == {}
    assert file["dropped"] == {"intake_full": 10}


@pytest.mark.parametrize("write", ["worker", "caller"])
def test_signal_that_ends_says_what_stays(programs, write):
    """Fault 2: SIGTERM with `flush_on` at a dead server tells how many records are left."""
    with programs.start(
        f"""
        runtime = configure(spool={{"write": "{write}"}}, more={{"flush_on": ["SIGTERM"]}})
        {indented(LOG.format(count=300))}
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        """
    ) as child:
        _, errors = child.communicate(timeout=40)
        assert child.returncode == -signal.SIGTERM
    assert errors.count("300 records stay in the spool") == 1
    assert programs.deliver(300) == numbered(300)


@pytest.mark.parametrize("end", ["", "logroute.shutdown()", "os.kill(os.getpid(), 15)"])
@pytest.mark.parametrize("write", ["worker", "caller"])
@pytest.mark.usefixtures("blackhole")
def test_hung_destination_holds_no_exit(programs, write, end):
    """Fault 7: a connect that hangs for 5 s is not waited for; all stays, and is said."""
    more = {"flush_on": ["SIGTERM"], "shutdown_timeout": "0.3s"}
    with programs.start(
        f"""
        runtime = configure(spool={{"write": "{write}"}}, more={more})
        {indented(LOG.format(count=300))}
        print(flush=True)
        {end}
        """
    ) as child:
        child.stdout.readline()
        child.communicate(timeout=4)  # the connect needs 5 s, others much longer
    (count,) = programs.waiting()
    assert count == 300


def test_removed_folder_costs_a_moment(programs):
    """A folder that somebody removes is made anew; what comes then survives."""
    for write in ("worker", "caller"):
        told, _ = programs.run(
            f"""
            import shutil
            runtime = configure(spool={{"write": "{write}"}})
            log.info("lost")
            runtime.flush(0.2)
            settle()
            shutil.rmtree({programs.spool!r})
            while not list(Path({programs.spool!r}).glob("*/*.seg")):
                time.sleep(0.05)
                log.info("somewhere")
            for n in range(50):
                log.info("record %d", n)
            runtime.flush(0.3)
            settle()
            print(json.dumps(runtime.stats()["handlers"]["out"]))
            """
        )
        assert told["queued"] + told["in_flight"] >= 50
        assert [text for text in programs.deliver(None) if "record" in text] == numbered(50)


@pytest.mark.parametrize("write", ["worker", "caller"])
def test_unsafe_folder_is_told_with_its_cure(programs, tmp_path, write):
    """Who may not use a folder is told why, and what to do; the counts say what it cost."""
    folder = tmp_path / "spool" / "out"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    told, errors = programs.run(
        f"""
        runtime = configure(spool={{"write": "{write}"}})
        {indented(LOG.format(count=10))}
        runtime.flush(0.2)
        while not counts()["last_error"]:
            time.sleep(0.01)
        first = counts()
        runtime.shutdown()
        print(json.dumps([first, counts()["dropped"]]))
        """
    )
    first, dropped = told
    assert "`chmod 700` it" in errors and "chmod 700" in first["last_error"]
    assert first["state"] == "failing" and dropped == {"spool_error": 10}


def test_refused_by_filters_and_formatters_counts(programs):
    """`write: caller`: filtered records and those without a text are in the ledger, and told."""
    told, errors = programs.run(
        """
        class Broken(logging.Formatter):
            def format(self, record):
                raise ValueError("no text")
        runtime = configure(
            spool={"write": "caller"}, filters=["tidy"],
            more={"formatters": {"bare": {"()": Broken}},
                  "filters": {"tidy": {"type": "dedupe", "window": "1h"}}})
        for n in (1, 1, 1, 2):
            log.info("record %d", n)
        runtime.flush(1)
        print(json.dumps(counts()))
        """
    )
    assert told["filtered"] == {"tidy": 2} and told["dropped"] == {"format_error": 2}
    assert told["enqueued"] == 4 and "2 INFO format_error" in errors


@pytest.mark.parametrize("write", ["worker", "caller"])
def test_reloads_under_load_lose_nothing(programs, tmp_path, write):
    """Fault 29: 30 reloads that change the handler while threads log; all arrives, once."""
    path = tmp_path / "config.json"
    with (
        TcpReceiver(port=programs.port) as receiver,
        programs.start(
            f"""
        import threading
        path = {str(path)!r}
        def write(n):
            target = {{"type": "socket", "address": "127.0.0.1:{programs.port}",
                      "formatter": "bare", "retry": {{"initial": 0.02 + n / 1000, "max": 0.1}},
                      "spool": {{"path": {programs.spool!r}, "write": "{write}"}}}}
            text = {{"version": 1, "shutdown_timeout": "2s", "root": {{"level": "DEBUG"}},
                    "formatters": {{"bare": {{"format": "%(message)s"}}}},
                    "handlers": {{"out": target}},
                    "routes": [{{"match": {{"logger": "app"}}, "to": "out"}}]}}
            Path(path).write_text(json.dumps(text))
        write(0)
        runtime = logroute.configure(path)
        is_over = threading.Event()
        sent = [0, 0, 0]
        def work(name):
            while not is_over.is_set():
                log.info("record %d.%d", name, sent[name])
                sent[name] += 1
                if sent[name] % 20 == 0:
                    time.sleep(0.002)
        threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
        for thread in threads:
            thread.start()
        for n in range(1, 31):
            write(n)
            assert runtime.reload().outcome.value == "swapped"
            time.sleep(0.01)
        is_over.set()
        for thread in threads:
            thread.join()
        assert runtime.flush(20)
        stats = runtime.stats()
        print(json.dumps([sent, stats["handlers"]["out"], stats["retired"]["out"]]))
        """
        ) as child,
    ):
        out, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
        sent, now, former = json.loads(out)
        assert receiver.wait_for(sum(sent), 40)
        arrived = [data.decode() for data in receiver.received]
    assert sorted(arrived) == sorted(f"record {t}.{n}" for t in range(3) for n in range(sent[t]))
    assert now["dropped"] == former["dropped"] == {}
    assert former["in_flight"] == 0 <= now["in_flight"]


def test_threads_write_all_they_log(programs):
    """8 threads log 5 000 records each by `write: caller`; none is missing after a hard end."""
    programs.run(
        """
        import threading
        runtime = configure(spool={"write": "caller", "max_bytes": "64MiB"})
        def work(name):
            for n in range(5000):
                log.info("thread %d.%d", name, n)
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts()["enqueued"] == counts()["spooled"] == 40_000
        os._exit(5)
        """,
        code_at_end=5,
    )
    arrived = programs.deliver(40_000)
    assert sorted(arrived) == sorted(f"thread {t}.{n}" for t in range(8) for n in range(5000))


def test_closed_descriptors_cost_nothing(programs):
    """Fault 57: who closes all descriptors loses no record of `write: caller`."""
    programs.run(
        """
        runtime = configure(spool={"write": "caller"})
        log.info("record 0")
        runtime.flush(0.2)
        settle()
        os.closerange(3, 200)
        for n in range(1, 30):
            log.info("record %d", n)
        runtime.flush(0.3)
        settle()
        assert counts()["dropped"] == {} and counts()["spooled"] == 30
        """
    )
    assert sorted(programs.deliver(30)) == sorted(numbered(30))
