"""`check --host` and `--probe`: this host and the destinations, without sending a record."""

import contextlib
import os
import socket
import tempfile
import threading
from typing import NamedTuple

import trustme
from cli_kit import logroute

from logroute.config.load import load
from logroute.config.rules import host
from logroute.config.rules.host import HOST
from logroute.config.rules.probes import probes
from logroute.diagnostics import Severity
from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver

ADDRESSES = "security: none, from: a@b.c, to: d@e.f"


class Space(NamedTuple):
    f_bavail: int
    f_frsize: int
    f_blocks: int


@contextlib.contextmanager
def as_nobody():
    """Run as a user who owns nothing, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def config(handler: str) -> str:
    return f"version: 1\nhandlers:\n  h: {handler}\nroot: {{level: INFO}}\nroutes: [{{to: h}}]\n"


def found(text, rules=HOST, environ=None):
    loaded = load(text, environ=environ or {}, read_secrets=False, advise=True, also=rules)
    codes = ("LR502", "LR503", "LR514", "LR612", "LR613", "LR705", "LR706")
    return [item for item in loaded.diagnostics if item.code in codes]


def codes(text, rules=HOST):
    return [item.code for item in found(text, rules)]


def probed(handler, timeout_s=2.0):
    return [
        (item.code, item.severity, item.message)
        for item in found(config(handler), probes(timeout_s))
    ]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_missing_directory_of_stdlib_handler_is_told(tmp_path):
    """stdlib's handler fails where ours makes the directory; nothing is made by looking."""
    path = tmp_path / "no" / "such" / "app.log"
    std = f"{{class: logging.FileHandler, filename: {path}}}"
    assert codes(config(std)) == ["LR502"]
    assert codes(config(f"{{type: file, path: {path}}}")) == []
    assert codes(config(f"{{type: file, path: {path}, create_dirs: false}}")) == ["LR502"]
    assert list(tmp_path.iterdir()) == []


def test_forbidden_directory_is_told():
    """A directory, or an existing file, that this user may not write is an error."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        closed = f"{top}/closed"
        os.mkdir(closed)
        with open(f"{closed}/app.log", "x"):
            os.chmod(closed, 0o555)
        os.chmod(f"{closed}/app.log", 0o444)
        with as_nobody():
            for name in ("new.log", "app.log", "deep/er/app.log"):
                assert codes(config(f"{{type: file, path: {closed}/{name}}}")) == ["LR503"]
        os.chmod(closed, 0o755)


def test_path_that_is_no_file_is_told(tmp_path):
    """A directory under the file's name, or a file where a directory is meant."""
    (tmp_path / "file").touch()
    assert codes(config(f"{{type: file, path: {tmp_path}}}")) == ["LR503"]
    assert codes(config(f"{{type: file, path: {tmp_path}/file/app.log}}")) == ["LR503"]


def test_little_space_is_told(tmp_path, monkeypatch):
    """Less than 100 MiB left on a file system of some size is worth a warning."""
    handler = config(f"{{type: file, path: {tmp_path}/app.log}}")
    monkeypatch.setattr(host.os, "statvfs", lambda _: Space(99 << 8, 4096, 1 << 24))
    assert codes(handler) == ["LR514"]
    monkeypatch.setattr(host.os, "statvfs", lambda _: Space(101 << 8, 4096, 1 << 24))
    assert codes(handler) == []
    monkeypatch.setattr(host.os, "statvfs", lambda _: Space(0, 4096, 16))
    assert codes(handler) == []


def test_secret_that_everybody_reads_is_told(tmp_path):
    """A literal password in a world-readable config, and a world-readable secret file."""
    handler = "{type: http, url: https://x.example.org/, auth: {bearer: TOKEN}}"
    path, secret = tmp_path / "a.yaml", tmp_path / "token"
    secret.write_text("hunter2")
    for token, holder in (("hunter2", path), (f'"${{file:{secret}}}"', secret)):
        path.write_text(config(handler.replace("TOKEN", token)))
        path.chmod(0o600)
        secret.chmod(0o600)
        assert codes(path) == []
        holder.chmod(0o644)
        (item,) = found(path)
        assert item.code == "LR705" and holder.name in item.message
        assert "hunter2" not in str(item)


def test_unusable_certificates_are_told(tmp_path):
    """Missing authorities, and a key that does not belong to its certificate."""
    authority = trustme.CA()
    one, other = authority.issue_cert("a.example.org"), authority.issue_cert("a.example.org")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    one.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    one.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    handler = "{{type: socket, address: 'a.example.org:6514', tls: {{{}}}}}"
    good = f"ca_file: {tmp_path}/ca.pem, cert_file: {tmp_path}/cert.pem, key_file: {tmp_path}/"
    assert codes(config(handler.format(f"{good}key.pem"))) == []
    assert codes(config(handler.format(f"{good}other.pem"))) == ["LR706"]
    (item,) = found(config(handler.format(f"ca_file: {tmp_path}/no.pem")))
    assert item.span.column > 20 and "no.pem" in item.message


def test_probe_reaches_and_sends_nothing():
    """Each kind of destination is connected to; no record, login or request goes there."""
    with SmtpReceiver() as mail, TcpReceiver() as tcp, HttpReceiver() as web:
        host_, port = mail.address.rpartition(":")[::2]
        handlers = [
            f"{{type: email, host: '{host_}', port: {port}, {ADDRESSES}}}",
            f"{{type: socket, address: '{tcp.address}'}}",
            f"{{type: http, url: 'http://{web.address}/x'}}",
            f"{{class: logging.handlers.SocketHandler, host: '{host_}', port: {port}}}",
        ]
        for handler in handlers:
            ((code, severity, message),) = probed(handler)
            assert (code, severity) == ("LR613", Severity.INFO), message
        assert mail.received == tcp.received == web.received == []


def test_probe_tells_dead_destinations_at_once():
    """A refused connection and an unknown name are told apart, at their places."""
    port = free_port()
    dead = f"{{type: socket, address: '127.0.0.1:{port}'}}"
    assert probed(dead)[0][:2] == ("LR613", Severity.ERROR)
    assert probed("{type: socket, address: 'no-such-host.invalid:9'}")[0][0] == "LR612"
    assert "gives no answer" in probed(f"{{type: datagram, address: '127.0.0.1:{port}'}}")[0][2]


def test_probes_run_side_by_side():
    """A server that greets nobody before all eight are there greets all eight."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(30)
        greeter = threading.Thread(target=greet_together, args=(server, 8), daemon=True)
        greeter.start()
        handlers = "\n".join(
            f"  m{n}: {{type: email, host: 127.0.0.1, port: {port}, {ADDRESSES}}}" for n in range(8)
        )
        text = f"version: 1\nhandlers:\n{handlers}\nroot: {{level: INFO}}\nroutes: []\n"
        told = found(text, probes(20))
        greeter.join()
    assert [item.severity for item in told] == [Severity.INFO] * 8


def greet_together(server, count):
    """Wait for `count` mail clients, then serve each its greeting and goodbye."""
    connections = [server.accept()[0] for _ in range(count)]
    for connection in connections:
        with connection:
            connection.settimeout(30)
            for line in (b"220 hello\r\n", b"250 hello\r\n", b"221 bye\r\n"):
                connection.sendall(line)
                connection.recv(1000)


def test_silent_server_is_told_in_time():
    """A server that accepts and says nothing is an error, not a wait without end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        mail = f"{{type: email, host: 127.0.0.1, port: {port}, from: a@b.c, to: d@e.f}}"
        ((code, severity, message),) = probed(mail, 0.2)
    assert (code, severity) == ("LR613", Severity.ERROR) and "no answer" in message


def test_command_looks_only_when_asked(tmp_path):
    """`check` alone says nothing of this host; --host and --probe tell what is wrong there."""
    port = free_port()
    (tmp_path / "a.yaml").write_text(
        "version: 1\nhandlers:\n"
        f"  log: {{type: file, path: {tmp_path}}}\n"
        f"  tcp: {{type: socket, address: '127.0.0.1:{port}'}}\n"
        "root: {level: INFO}\nroutes: [{to: [log, tcp]}]\n"
    )
    assert logroute("check", "a.yaml", cwd=tmp_path)[0] == 0
    code, out, err = logroute("check", "--host", "a.yaml", cwd=tmp_path)
    assert (code, err) == (1, "") and "LR503" in out and "LR613" not in out
    code, out, err = logroute("check", "--probe", "--probe-timeout", "2", "a.yaml", cwd=tmp_path)
    assert (code, err) == (1, "") and "LR613" in out and "LR503" not in out
    assert logroute("check", "--probe", "--probe-timeout", "soon", "a.yaml", cwd=tmp_path)[0] == 2


def test_unusable_spool_is_told(tmp_path):
    """A file in its place, a folder that others may write to; a new folder is fine."""
    spool = '{{type: socket, address: "127.0.0.1:9", spool: {{path: {}}}}}'
    (tmp_path / "file").touch()
    (tmp_path / "open" / "h").mkdir(parents=True)
    (tmp_path / "open" / "h").chmod(0o777)
    (tmp_path / "all").mkdir()
    (tmp_path / "all").chmod(0o777)
    for name in ("file", "file/below", "open", "all"):
        assert codes(config(spool.format(tmp_path / name))) == ["LR503"]
    assert codes(config(spool.format(tmp_path / "new/er"))) == []
