"""What the tests of sinks share: records and certificates."""

import logging
import ssl
import sys

import pytest
import trustme

from logroute.sinks import TlsSpec


@pytest.fixture
def record():
    """Make records of a text, arguments, a level, a logger and extra fields."""

    def make(message="hello", *args, level=logging.WARNING, name="app", exc_info=None, **extra):
        made = logging.LogRecord(name, level, "app.py", 7, message, args, exc_info)
        made.__dict__.update(extra)
        return made

    return make


@pytest.fixture
def failed_record(record):
    """A record with the traceback of a division by zero."""
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        return record("it broke", exc_info=sys.exc_info())


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def trust(authority, tmp_path_factory):
    """A TlsSpec that trusts the tests' authority and nobody else."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return TlsSpec(ca_file=str(path))


def server_context(authority, *names):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def good_tls(authority):
    return server_context(authority, "localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def wrong_host_tls(authority):
    return server_context(authority, "other.example.org")


@pytest.fixture(scope="session")
def unknown_tls():
    """A certificate of an authority that nobody trusts."""
    return server_context(trustme.CA(), "localhost", "127.0.0.1")


@pytest.fixture(params=["wrong_host_tls", "unknown_tls"])
def bad_tls(request):
    """Each server that must get nothing."""
    return request.getfixturevalue(request.param)
