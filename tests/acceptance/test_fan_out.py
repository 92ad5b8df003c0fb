"""Records of every level through real servers: exact counts, nobody's fault is another's."""

import json
import logging
import re

import pytest
from engine_kit import adds_up

import logroute
from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver, UdpReceiver

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
EACH = 50
CONFIG = """
version: 1
formatters:
  line: {{format: "%(levelname)s %(name)s %(message)s"}}
handlers:
  log-file: {{type: file, path: "{path}", formatter: line}}
  ops-mail: {{type: email, host: 127.0.0.1, port: {smtp}, security: none, formatter: line,
             from: app@x.example, to: [ops@x.example], batch: {{max_records: 40, max_wait: 60s}}}}
  metrics: {{type: datagram, address: "127.0.0.1:{udp}"}}
  collector: {{type: socket, address: "127.0.0.1:{tcp}"}}
  alerts: {{type: http, url: "http://127.0.0.1:{http}/logs", proxy: none}}
root: {{level: DEBUG}}
routes:
  - {{match: {{level: ERROR}}, to: [ops-mail, alerts]}}
  - {{match: {{level: "INFO..ERROR"}}, to: [collector]}}
  - {{match: {{level: "<WARNING"}}, to: [metrics]}}
  - {{to: [log-file]}}
"""
MARK = re.compile(r"<(\w+)-(\d+)>")


@pytest.fixture
def servers():
    with SmtpReceiver() as smtp, UdpReceiver() as udp, TcpReceiver() as tcp, HttpReceiver() as http:
        yield {"smtp": smtp, "udp": udp, "tcp": tcp, "http": http}


def start(servers, tmp_path, **changes):
    ports = {name: server.port for name, server in servers.items()} | changes
    path = tmp_path / "out.log"
    return logroute.configure(CONFIG.format(path=path, **ports)), path


def log_each_level(each=EACH):
    """Log `each` records of every level; every tenth with a traceback."""
    logger = logging.getLogger("shop")
    for n in range(each):
        for level in LEVELS:
            try:
                if n % 10 == 0:
                    raise KeyError(f"cause {level}-{n}")
                logger.log(getattr(logging, level), "<%s-%d>", level, n)
            except KeyError:
                logger.log(getattr(logging, level), "<%s-%d>", level, n, exc_info=True)


def wanted(*levels, each=EACH):
    return sorted((level, str(n)) for level in levels for n in range(each))


def json_lines(chunks):
    return [json.loads(line) for chunk in chunks for line in chunk.splitlines()]


def marks(messages):
    return sorted(MARK.search(message).groups() for message in messages)


def test_every_level_arrives_where_routed(servers, tmp_path):
    """50 records of each level arrive exactly as routed, tracebacks formatted."""
    runtime, path = start(servers, tmp_path)
    log_each_level()
    assert runtime.flush(60)
    mails = servers["smtp"].received
    assert servers["udp"].wait_for(100) and servers["tcp"].wait_for(150)
    mail_text = "\n".join(mail.text for mail in mails)
    alerts = json_lines(request.content for request in servers["http"].received)
    collected = json_lines(servers["tcp"].received)
    datagrams = json_lines(servers["udp"].received)
    assert sorted(MARK.findall(mail_text)) == wanted("ERROR", "CRITICAL")
    assert marks(r["message"] for r in alerts) == wanted("ERROR", "CRITICAL")
    assert marks(r["message"] for r in collected) == wanted("INFO", "WARNING", "ERROR")
    assert marks(r["message"] for r in datagrams) == wanted("DEBUG", "INFO")
    assert sorted(MARK.findall(path.read_text())) == wanted(*LEVELS)
    for records in (alerts, collected, datagrams):
        for record in records:
            level, n = MARK.search(record["message"]).groups()
            assert ("exception" in record) == (int(n) % 10 == 0)
            if "exception" in record:
                assert record["exception"].startswith("Traceback (most recent call last):")
                assert record["exception"].endswith(f"KeyError: 'cause {level}-{n}'")
    assert mail_text.count("KeyError: 'cause") == 10
    for counts in runtime.stats()["handlers"].values():
        assert adds_up(counts)
        assert counts["enqueued"] == counts["delivered"]


@pytest.mark.parametrize("dead", ["smtp", "udp", "tcp", "http"])
def test_one_dead_handler_changes_no_other_count(servers, tmp_path, dead):
    """Whichever server is down, the others' counts are exact."""
    down = TcpReceiver()
    with down:
        port = down.port  # free again when the block ends: nobody listens there
    runtime, path = start(servers, tmp_path, **{dead: port})
    log_each_level(each=20)
    assert runtime.flush(3) or dead in ("smtp", "tcp", "http")
    names = {"smtp": "ops-mail", "udp": "metrics", "tcp": "collector", "http": "alerts"}
    promised = {"ops-mail": 40, "metrics": 40, "collector": 60, "alerts": 40, "log-file": 100}
    stats = runtime.stats()["handlers"]
    for name, count in promised.items():
        assert stats[name]["enqueued"] == count
        assert adds_up(stats[name])
        if name != names[dead]:
            assert stats[name]["delivered"] == count
    assert sorted(MARK.findall(path.read_text())) == wanted(*LEVELS, each=20)
    runtime.shutdown(0.1)


def test_server_that_comes_back_gets_everything(servers, tmp_path):
    """Records logged while the collector is down arrive once it is back."""
    with TcpReceiver() as first:
        port = first.port
    text = CONFIG.replace("to: [collector]", "to: [collector]").replace(
        'address: "127.0.0.1:{tcp}"',
        'address: "127.0.0.1:{tcp}", retry: {{initial: 50ms, max: 100ms}}',
    )
    ports = {name: server.port for name, server in servers.items()} | {"tcp": port}
    runtime = logroute.configure(text.format(path=tmp_path / "out.log", **ports))
    log_each_level(each=10)
    assert not runtime.flush(0.5)
    with TcpReceiver(port=port) as back:
        assert runtime.flush(20)
        assert back.wait_for(30)
        found = marks(r["message"] for r in json_lines(back.received))
        assert found == wanted("INFO", "WARNING", "ERROR", each=10)
        assert runtime.stats()["handlers"]["collector"]["delivered"] == 30
        runtime.shutdown(2)
