"""Programs of asyncio: fault 34 of the catalogue."""

import pytest
from life_kit import numbers, run

from logroute.receivers import HttpReceiver, TcpReceiver

LOOP = """
import asyncio

logging.getLogger("asyncio").setLevel("WARNING")
lag = [0.0]

async def tick(ended):
    while not ended.is_set():
        before = now()
        await asyncio.sleep(0.002)
        lag[0] = max(lag[0], now() - before - 0.002)

async def main():
    ended = asyncio.Event()
    ticker = asyncio.create_task(tick(ended))
    await asyncio.gather(*[task(n) for n in range(4)])
    ended.set()
    await ticker
"""


def test_stalled_sinks_do_not_hold_the_loop(tmp_path):
    """Fault 34: a web service and a handler stall for 2 s; the loop lags by less than 20 ms.

    On a busy machine: by less than three times what it lags where nothing is logged.
    """
    lags = []
    for _ in range(4):
        with HttpReceiver() as web:
            web.answer(delay_s=2, times=1)
            done = run(
                tmp_path,
                LOOP
                + f"""
class Stalled(Slow):
    def emit(self, record):
        if record.args[0] == 0:
            time.sleep(2)
        super().emit(record)

configure({{"web": {{"type": "http", "url": "{web.url}", "proxy": "none", "body": "ndjson"}},
           "own": {{"()": "__main__.Stalled", "pause_s": 0}}}})
log.info("warm-up %d", 10_000)
begun = False
async def task(name):
    for n in range(100):
        if begun:
            log.info("record %d", 100 * name + n)
        await asyncio.sleep(0.005)
asyncio.run(main())
bound = max(0.02, 3 * lag[0])
begun, lag[0] = True, 0
asyncio.run(main())
say(f"{{lag[0]}} {{bound}}")
""",
            )
        assert sorted(numbers(done.lines())) == [*range(400), 10_000]
        assert done.ledger("web")["delivered"] == 401
        for path in [tmp_path / "out.log", *tmp_path.glob("stats-*")]:
            path.unlink()
        lags.append(tuple(map(float, done.out.split())))
        if lags[-1][0] < lags[-1][1]:
            break
    assert lags[-1][0] < lags[-1][1], lags


@pytest.mark.parametrize("level", ["info", "error"])
def test_full_network_queue_never_blocks_the_loop(tmp_path, level):
    """Fault 34: with `overflow: block` a thread waits, the loop's thread counts the loss."""
    with TcpReceiver(stall=True) as tcp:
        done = run(
            tmp_path,
            LOOP
            + f"""
queue = {{"max_records": 10, "overflow": "block", "block_for": 30}}
configure({{"tcp": {{"type": "socket", "address": "{tcp.address}", "queue": queue}}}},
          shutdown_timeout=0.1)
async def task(name):
    for n in range(300):
        log.{level}("record %d %s", n, "x" * 50_000)
        await asyncio.sleep(0)
asyncio.run(main())
say(lag[0])
wait_for(lambda: not logroute.stats()["intake"], 30)
""",
            quiet=False,
        )
    assert float(done.out) < 10
    counts = done.ledger("tcp")
    assert counts["enqueued"] == 1200
    assert sum(counts["dropped"].values()) > 500
