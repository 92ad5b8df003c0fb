"""A reload while records take the express lane: none lacks what its new formatter reads."""

import logging
import re
import threading

import logroute
from logroute.testing import assert_adds_up

CONFIG = """\
version: 1
reload: {{every: 1h}}
formatters:
  line: {{type: text, format: "{format}"}}
handlers:
  log-file: {{type: file, path: {path}, formatter: line}}
root: {{level: INFO}}
routes: [{{to: log-file}}]
"""
LITTLE = "%(message)s"
MUCH = "%(message)s|%(filename)s|%(lineno)d|%(funcName)s|%(threadName)s|%(tenant)s"
LINE = re.compile(r"\d+(\|test_reload_express\.py\|\d+\|work\|(one|two)\|t1)?")


def test_reloaded_formatter_has_all_it_reads(tmp_path):
    """Formatters that read little and much take turns; each line is whole, and all are there."""
    config, log = tmp_path / "logging.yaml", tmp_path / "out.log"
    config.write_text(CONFIG.format(format=LITTLE, path=log))
    logroute.configure(str(config))
    logger, is_over = logging.getLogger("reload.express"), threading.Event()
    counts = []

    def work():
        count = 0
        while not is_over.is_set():
            logger.info("%d", count, extra={"tenant": "t1"})
            count += 1
            if count % 50 == 0:
                is_over.wait(0.001)
        counts.append(count)

    threads = [threading.Thread(target=work, name=name) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for turn in range(20):
        config.write_text(CONFIG.format(format=MUCH if turn % 2 else LITTLE, path=log))
        logroute.reload()
    is_over.set()
    for thread in threads:
        thread.join()
    assert logroute.flush(30)
    lines = [line for line in log.read_text().splitlines() if " read again: " not in line]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert len(lines) == sum(counts)
    assert {"|" in line for line in lines} == {True, False}
    assert_adds_up(logroute.stats())


def test_formatter_that_is_set_has_all_it_reads(tmp_path):
    """`setFormatter` on a live handler holds for what comes then, and for nothing before."""
    log = tmp_path / "out.log"
    runtime = logroute.configure(CONFIG.format(format=LITTLE, path=log))
    logger = logging.getLogger("reload.express")
    for n in range(300):
        logger.info("%d", n, extra={"tenant": "t1"})
    runtime.handlers["log-file"].setFormatter(logging.Formatter("%(message)s|%(lineno)d"))
    logger.info("last", extra={"tenant": "t1"})
    assert logroute.flush(30)
    lines = log.read_text().splitlines()
    assert lines[:-1] == [str(n) for n in range(300)]
    assert re.fullmatch(r"last\|\d+", lines[-1])
