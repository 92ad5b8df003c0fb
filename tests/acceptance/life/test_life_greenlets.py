"""gevent and eventlet: fault 33 of the catalogue, in all six orders of patching."""

import pytest
from life_kit import messages, numbers, run

from logroute.receivers import HttpReceiver, TcpReceiver

PATCH = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.parametrize("when", ["first", "imported", "started"])
@pytest.mark.parametrize("library", PATCH)
def test_greenlets_lose_nothing(tmp_path, library, when):
    """Fault 33: greenlets log before and after a patch; files grow while one computes."""
    patch = PATCH[library]
    with TcpReceiver() as tcp, HttpReceiver() as web:
        done = run(
            tmp_path,
            f"""
            if "{when}" == "imported":
                {patch}
            configure({{
                "out": file(),
                "tcp": {{"type": "socket", "address": "{tcp.address}", "formatter": "bare"}},
                "web": {{"type": "http", "url": "{web.url}", "proxy": "none",
                         "body": "ndjson"}},
            }}, shutdown_timeout=10)
            if "{when}" == "started":
                log.info("record 999")
                assert logroute.flush(10)
                {patch}
            import {library}, time

            def work(name):
                for n in range(20):
                    log.info("record %d", 20 * name + n)
                    time.sleep(0.001)

            if "{library}" == "gevent":
                gevent.joinall([gevent.spawn(work, name) for name in range(20)])
            else:
                pool = eventlet.GreenPool()
                for name in range(20):
                    pool.spawn(work, name)
                pool.waitall()
            assert logroute.flush(10)
            size = os.path.getsize("out.log")
            for n in range(400, 500):
                log.info("record %d", n)
            until = now() + 5  # this greenlet lets no other one run
            while os.path.getsize("out.log") == size and now() < until:
                pass
            say(os.path.getsize("out.log") > size)
            for n in range(500, 600):
                log.info("record %d", n)
            """,
            env={"LIFE_PATCHED": patch} if when == "first" else {},
            timeout_s=30,
            quiet=False,  # the libraries have warnings of their own
            options=(),
        )
        expected = sorted([*range(600), *[999] * (when == "started")])
        assert tcp.wait_for(len(expected))
        assert sorted(numbers(messages(web.received))) == expected
        assert sorted(numbers(line.decode() for line in tcp.received)) == expected
    assert sorted(numbers(done.lines())) == expected
    assert done.out == "True\n"
    assert [done.ledger(name)["delivered"] for name in ("out", "tcp", "web")] == [len(expected)] * 3
    assert "logroute:" not in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("when", ["first", "imported", "started"])
@pytest.mark.parametrize("library", PATCH)
def test_greenlets_see_what_goes_wrong(tmp_path, library, when):
    """Fault 33: a console gets more than its pipe holds, and stderr is told of a dead server."""
    patch = PATCH[library]
    done = run(
        tmp_path,
        f"""
        if "{when}" == "imported":
            {patch}
        configure({{
            "shown": {{"type": "console", "stream": "stdout", "formatter": "bare"}},
            "dead": {{"type": "socket", "address": "127.0.0.1:1",
                      "retry": {{"give_up_after": "50ms"}}}},
        }}, shutdown_timeout=10)
        log.info("record 0")
        if "{when}" == "started":
            {patch}
        for n in range(1, 10_000):
            log.info("record %d", n)
        assert logroute.flush(10)
        """,
        env={"LIFE_PATCHED": patch} if when == "first" else {},
        timeout_s=30,
        quiet=False,  # the libraries have warnings of their own
        options=(),
    )
    assert numbers(done.out.splitlines()) == list(range(10_000))
    assert done.ledger("shown")["delivered"] == 10_000
    refused = ("Connection refused", "ECONNREFUSED")  # as the library says it
    assert any(f"`dead`: cannot reach 127.0.0.1:1: {words}" in done.err for words in refused)


@pytest.mark.parametrize("library", PATCH)
def test_greenlet_that_holds_up_a_thread_lets_it_go_on(tmp_path, library):
    """Fault 33: a patch changes no lock that one of our threads may have to wait for."""
    done = run(
        tmp_path,
        f"""
        configure({{"out": file()}}, shutdown_timeout=10)
        log.info("record 0")
        assert logroute.flush(10)
        {PATCH[library]}
        runtime = logroute.current()
        for lock in (runtime.workers["out"].queue._lock, runtime.dispatcher._step_lock):
            for n in range(2):
                with lock:
                    log.info("record 1")
                    until = now() + 0.1
                    while now() < until:  # the dispatcher comes, and waits
                        pass
            assert logroute.flush(10)
        """,
        timeout_s=30,
        quiet=False,  # the libraries have warnings of their own
        options=(),
    )
    assert numbers(done.lines()) == [0, 1, 1, 1, 1]
    assert "logroute:" not in done.err and "Traceback" not in done.err
