"""Spools in the life of processes: forks, multiprocessing, servers, greenlets."""

import json
import signal
import sys

import pytest
from life_kit import ask_both, messages, run, serve
from test_life_servers import write_config

from logroute.receivers import HttpReceiver, TcpReceiver

#: A handler with a spool, for programs of this file.
SPOOLED = """
def spooled(write, port):
    return {"type": "socket", "address": f"127.0.0.1:{port}", "formatter": "bare",
            "retry": {"initial": 0.02, "max": 0.1},
            "spool": {"path": os.path.join(FOLDER, "spool"), "write": write}}
"""
#: Waits until the handler `name` has delivered what is there, of dead processes too: those
#: come a few at a time, and between two times nothing waits as far as its counts know.
DELIVERED = """
def wait_until_delivered(runtime, name):
    folder = os.path.join(FOLDER, "spool", name)
    wait_for(lambda: sum(file.endswith(".lock") for file in os.listdir(folder)) == 1)
    counts = lambda: runtime.stats()["handlers"][name]
    wait_for(lambda: counts()["delivered"] == counts()["enqueued"])
"""


def deliver(folder, receiver):
    """Let another process deliver what was left; return all that has arrived."""
    scenario = run(
        folder,
        f"""
        {(SPOOLED + DELIVERED).strip().replace(chr(10), chr(10) + " " * 8)}
        runtime = configure({{"net": spooled("worker", {receiver.port})}})
        log.info("last")
        assert runtime.flush(20)
        wait_until_delivered(runtime, "net")
        say(runtime.stats()["handlers"]["net"]["delivered"])
        """,
        quiet=False,
    )
    assert receiver.wait_for(int(scenario.out))  # it is sent, and perhaps not read yet
    return [data.decode() for data in receiver.received if data != b"last"]


@pytest.mark.parametrize("write", ["worker", "caller"])
@pytest.mark.parametrize("end", ["sys.exit", "os._exit"])
def test_forks_amid_writes_lose_nothing(tmp_path, write, end):
    """Fault 17 and 18: 40 forks while two threads log and the rear holds a batch; no one hangs."""
    with TcpReceiver() as receiver:
        run(
            tmp_path,
            f"""
            {SPOOLED.strip().replace(chr(10), chr(10) + " " * 12)}
            configure({{"net": spooled("{write}", 1)}}, shutdown_timeout=2)
            is_over = threading.Event()
            counts = [0, 0]
            def work(name):
                while not is_over.is_set():
                    log.info("thread%d %d", name, counts[name])
                    counts[name] += 1
                    time.sleep(0.0005)
            threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
            for thread in threads:
                thread.start()
            for n in range(40):
                pid = os.fork()
                if not pid:
                    for m in range(5):
                        log.info("child%d %d", n, m)
                    if "{end}" == "os._exit" and "{write}" == "worker":
                        wait_for(lambda: logroute.stats()["handlers"]["net"]["spooled"] == 5)
                    os._exit(0) if "{end}" == "os._exit" else sys.exit(0)
                time.sleep(0.002)
                assert os.waitpid(pid, 0)[1] == 0
            is_over.set()
            for thread in threads:
                thread.join()
            """,
            timeout_s=60,
            quiet=False,
            options=(),
        )
        arrived = deliver(tmp_path, receiver)
    expected = {f"child{n} {m}" for n in range(40) for m in range(5)}
    assert sorted(text for text in arrived if text.startswith("child")) == sorted(expected)
    for name in range(2):
        numbers = [int(t.split()[1]) for t in arrived if t.startswith(f"thread{name} ")]
        assert sorted(numbers) == list(range(len(numbers))) and len(numbers) > 20


@pytest.mark.parametrize("write", ["worker", "caller"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_children_spool(tmp_path, write, method):
    """Fault 14 and 15: children with a config of their own leave 300 records, each once."""
    with TcpReceiver() as receiver:
        run(
            tmp_path,
            f"""
            import multiprocessing
            {SPOOLED.strip().replace(chr(10), chr(10) + " " * 12)}
            def work():
                configure({{"net": spooled("{write}", 1)}})
                for n in range(300):
                    log.info("child %d", n)
            if __name__ == "__main__":
                context = multiprocessing.get_context("{method}")
                process = context.Process(target=work)
                process.start()
                process.join()
                assert process.exitcode == 0
            """,
            quiet=False,
            options=(),
        )
        arrived = deliver(tmp_path, receiver)
    assert arrived == [f"child {n}" for n in range(300)]


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("write", ["worker", "caller"])
def test_gunicorn_spools(tmp_path, preload, write):
    """Fault 23: 60 requests to two workers whose destination is down; another process delivers."""
    with HttpReceiver() as web:
        write_config(tmp_path, web)
        path = tmp_path / "logging.json"
        config = json.loads(path.read_text())
        config["handlers"]["web"]["spool"] = {"path": str(tmp_path / "spool"), "write": write}
        down = json.loads(json.dumps(config))
        down["handlers"]["web"]["url"] = "http://127.0.0.1:1/"
        path.write_text(json.dumps(down))
        command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"unix:{tmp_path}/s"]
        command += ["--no-control-socket", "--worker-tmp-dir", str(tmp_path)]
        command += ["--log-level", "warning"] + ["--preload"] * preload + ["application:app"]
        with serve(tmp_path, command, timeout_s=30) as server:
            ask_both(tmp_path / "s", 60)
            server.send(signal.SIGTERM)
            assert server.wait() == 0, server.err
        assert web.received == []
        path.write_text(json.dumps(config))
        run(
            tmp_path,
            f"""
            {DELIVERED.strip().replace(chr(10), chr(10) + " " * 12)}
            runtime = logroute.configure("logging.json")
            log.info("last")
            assert runtime.flush(20)
            wait_until_delivered(runtime, "web")
            """,
            quiet=False,
        )
        arrived = [text for text in messages(web.received) if text.startswith("request")]
    assert sorted(arrived) == sorted(f"request {n}" for n in range(60))


@pytest.mark.parametrize("write", ["worker", "caller"])
def test_greenlets_spool(tmp_path, write):
    """Fault 33: 20 greenlets log through a spool, under monkey-patching; no hang, none lost."""
    with TcpReceiver() as receiver:
        run(
            tmp_path,
            f"""
            import gevent
            {SPOOLED.strip().replace(chr(10), chr(10) + " " * 12)}
            configure({{"net": spooled("{write}", {receiver.port})}})
            def work(name):
                for n in range(50):
                    log.info("green%d %d", name, n)
                    gevent.sleep(0)
            gevent.joinall([gevent.spawn(work, n) for n in range(20)])
            assert logroute.flush(10)
            logroute.shutdown()
            """,
            env={"LIFE_PATCHED": "from gevent import monkey; monkey.patch_all()"},
            quiet=False,
            options=(),
        )
        assert receiver.wait_for(1000, 10)
    expected = {f"green{name} {n}" for name in range(20) for n in range(50)}
    assert sorted(data.decode() for data in receiver.received) == sorted(expected)
