"""What all kinds of sinks share: the table, the contract, light imports."""

import inspect
import subprocess
import sys

import pytest

from logroute.options import options_of
from logroute.sinks import KINDS, NetworkSpec, Sink

REQUIRED = {
    "file": {"path": "x"},
    "email": {"host": "h", "sender": "a@b", "to": ("c@d",)},
    "datagram": {"address": "h:1"},
    "socket": {"address": "h:1"},
    "http": {"url": "http://h"},
}
READY = ["console", "file", "email", "datagram", "socket", "http", "syslog", "null"]
# Options of handlers that every kind shares a mapping with.
TAKEN = {"type", "level", "filters", "formatter", "queue", "batch", "retry", "breaker"}
TAKEN |= {"fallback", "dead_letter", "spool"}


@pytest.mark.parametrize("name", READY)
def test_kind_makes_encoder_and_sink(name, record):
    """A spec makes bytes of a record, and a sink with the four methods."""
    spec = KINDS.get(name)(**REQUIRED.get(name, {}))
    assert isinstance(spec.encoder(lambda item: item.getMessage())(record()), bytes)
    sink = spec.sink()
    for method in ("open", "send", "flush", "close"):
        assert (
            list(inspect.signature(getattr(sink, method)).parameters)
            == list(inspect.signature(getattr(Sink, method)).parameters)[1:]
        )
    sink.flush()
    sink.close()
    sink.close()


@pytest.mark.parametrize("name", READY)
def test_encoder_leaves_the_record_alone(name, failed_record):
    """Other handlers see the same record."""
    before = dict(vars(failed_record))
    spec = KINDS.get(name)(**REQUIRED.get(name, {}))
    spec.encoder(lambda item: item.getMessage())(failed_record)
    assert vars(failed_record) == before


@pytest.mark.parametrize("name", KINDS.names())
def test_every_option_is_described(name):
    """One sentence each, and no name that handlers use already."""
    spec = KINDS.get(name)
    table = options_of(spec)
    assert all(option.doc.endswith((".", "`")) for option in table.values())
    assert not TAKEN & set(table)
    assert issubclass(spec, NetworkSpec) == spec.networked
    assert spec.__doc__ and spec.guarantee


def test_null_discards_without_formatting(record):
    """Not even the formatter runs."""
    spec = KINDS.get("null")()
    assert spec.encoder(lambda item: pytest.fail("formatted"))(record()) == b""
    spec.sink().send([b""])


def test_specs_import_nothing_heavy():
    """Reading a file that names every kind costs no network modules."""
    code = (
        "import sys\n"
        "from logroute.sinks import KINDS\n"
        "specs = [KINDS.get(name) for name in KINDS.names()]\n"
        "import logroute.sinks.foreign\n"
        "heavy = {'ssl', 'http', 'urllib3', 'smtplib', 'email', 'asyncio', 'socket', 'pickle',"
        " 'dataclasses', 'logging.handlers', 'logging.config', 'jsonschema', 'ipaddress'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
