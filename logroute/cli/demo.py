"""`logroute demo`: records of every level through real servers on this machine.

Starts SMTP, UDP, TCP and HTTP receivers on the loopback interface, loads
`sample-configs/demo.yaml`, logs, and compares what arrived with what the routes
promise. Exits 0 only if both agree and every handler's ledger adds up.
"""

import argparse
import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from logroute.app.current import configure
from logroute.app.current import load as load_config
from logroute.config.flow import route_table
from logroute.engine.runtime import Runtime
from logroute.levels import Levels
from logroute.light import Any
from logroute.routing import RouteTable

__all__ = ["add_arguments", "run"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGERS = ("shop.cart", "shop.payments", "shop.healthcheck")
SERVERS = {
    "ops-mail": "SMTP",
    "alerts": "HTTP",
    "collector": "TCP",
    "metrics": "UDP",
    "log-file": "file",
}
#: Every record of the demo carries its number, so that each arrival is known.
_MARK = re.compile(r"#(\d+)#")

#: By handler: the numbers of the records that it should get, and their levels.
Promised = dict[str, dict[int, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--records", type=int, default=20, metavar="N", help="of each level")
    parser.add_argument("--config", metavar="FILE", help="another file than the sample")


def run(options: argparse.Namespace) -> int:
    """Run the demo; 0 where everything arrived as promised."""
    path = options.config or sample_path("demo.yaml")
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="logroute-demo-"))
        try:
            receivers = stack.enter_context(_receivers(directory))
        except ImportError as fault:
            print(f"logroute demo: {fault}", file=sys.stderr)
            return 2
        print(f"config   {os.path.relpath(path)}")
        runtime = configure(path)
        stack.callback(runtime.shutdown)
        config = load_config(path)
        promised = _log(route_table(config, Levels(config.levels)), options.records)
        settled = runtime.flush(20.0)
        arrived = receivers.arrived(promised)
        return _report(runtime, promised, arrived, settled=settled)


def sample_path(name: str) -> str:
    """Return where a sample config is: in a wheel, an editable install or a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for base in (package, os.path.dirname(package)):
        path = os.path.join(base, "sample-configs", name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"sample-configs/{name} is not installed")


class _Receivers:
    """The servers of the demo."""

    def __init__(self, servers: Mapping[str, Any], log_path: str) -> None:
        self._servers = servers
        self._log_path = log_path

    def arrived(self, promised: Promised) -> dict[str, list[int]]:
        """Return the numbers of the records that each destination has."""
        for name, server in self._servers.items():
            wanted = len(promised.get(name, ()))
            server.wait_until(lambda name=name, n=wanted: len(self._numbers(name)) >= n, 5)
        return {name: self._numbers(name) for name in promised}

    def _numbers(self, name: str) -> list[int]:
        if name == "log-file":
            with open(self._log_path, encoding="utf-8") as file:
                text = file.read()
        else:
            text = "\n".join(_text_of(item) for item in self._servers[name].received)
        return [int(number) for number in _MARK.findall(text)]


def _text_of(item: Any) -> str:
    """Return what one receiver kept, as text: a mail, an HTTP request or bytes."""
    if isinstance(item, bytes):
        return item.decode()
    content = item.text if hasattr(item, "text") else item.content.decode()
    return str(content)


@contextlib.contextmanager
def _receivers(directory: str) -> Iterator[_Receivers]:
    from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver, UdpReceiver

    with SmtpReceiver() as mail, HttpReceiver() as http, TcpReceiver() as tcp, UdpReceiver() as udp:
        os.environ.update(
            DEMO_DIR=directory,
            DEMO_SMTP_PORT=str(mail.port),
            DEMO_UDP_PORT=str(udp.port),
            DEMO_TCP_PORT=str(tcp.port),
            DEMO_HTTP_PORT=str(http.port),
        )
        servers = {"ops-mail": mail, "alerts": http, "collector": tcp, "metrics": udp}
        for name, server in servers.items():
            print(f"{SERVERS[name]:<8} 127.0.0.1:{server.port}")
        yield _Receivers(servers, os.path.join(directory, "demo.log"))


def _log(table: RouteTable, count: int) -> Promised:
    """Log `count` records of each level and logger; return what the routes promise."""
    promised: Promised = {name: {} for name in table.handler_levels}
    number = 0
    for index in range(count):
        for level in LEVELS:
            for name in LOGGERS:
                number += 1
                levelno = getattr(logging, level)
                text = f"demo record #{number}#"
                logger = logging.getLogger(name)
                if level == "CRITICAL" and index == 0:
                    _log_exception(logger, text)
                else:
                    logger.log(levelno, text)
                made = logging.LogRecord(name, levelno, "", 0, text, None, None)
                for handler in table.plan(name, levelno).pick(made) or ():
                    promised[handler][number] = level
    return promised


def _log_exception(logger: logging.Logger, text: str) -> None:
    """Log one of the records with a traceback."""
    try:
        raise ConnectionError("the payment provider hung up")
    except ConnectionError:
        logger.critical(text, exc_info=True)


def _cell(wanted: list[int], arrived: list[int]) -> str:
    got = len(set(wanted) & set(arrived))
    return f"{got} of {len(wanted)}" if wanted else "-"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _report(
    runtime: Runtime,
    promised: Promised,
    arrived: Mapping[str, list[int]],
    *,
    settled: bool,
) -> int:
    """Print the two tables; return 0 where they agree."""
    agrees = settled
    print("\narrived of promised, by level")
    rows = {}
    for name, numbers in promised.items():
        at_level = [[n for n, at in numbers.items() if at == level] for level in LEVELS]
        cells = [_cell(wanted, arrived[name]) for wanted in at_level]
        rows[name] = [*cells, f"{len(arrived[name])} of {len(numbers)}"]
    heads = (*LEVELS, "all")
    widths = [max(map(len, column)) + 2 for column in zip(heads, *rows.values(), strict=True)]
    print(f"{'handler':<10} {'over':<5}{_row(heads, widths)}")
    for name, numbers in promised.items():
        same = sorted(numbers) == sorted(arrived[name])
        agrees = agrees and same
        row = _row(rows[name], widths)
        print(f"{name:<10} {SERVERS.get(name, '?'):<5}{row}{'' if same else '  DIFFERENT'}")
    print(f"\n{'ledger':<10} {'enqueued':>9} {'delivered':>10} {'dropped':>8} {'waiting':>8}")
    for name, counts in runtime.stats()["handlers"].items():
        waiting = counts["queued"] + counts["in_flight"]
        dropped = sum(counts["dropped"].values())
        agrees = agrees and counts["enqueued"] == counts["delivered"] == len(promised[name])
        print(
            f"{name:<10} {counts['enqueued']:>9} {counts['delivered']:>10} "
            f"{dropped:>8} {waiting:>8}"
        )
    print(f"\n{'everything arrived as the routes promise' if agrees else 'NOT AS PROMISED'}")
    return 0 if agrees else 1
