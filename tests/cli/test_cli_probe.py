"""`logroute probe`: a test record through every handler, with real servers at the ends."""

import json
import socket

import pytest
from cli_kit import logroute

from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver, UdpReceiver


def write(tmp_path, *handlers, more=""):
    lines = "\n".join(f"  {line}" for line in handlers)
    text = f"version: 1\nhandlers:\n{lines}\nroot: {{level: INFO}}\nroutes: []\n{more}"
    (tmp_path / "a.yaml").write_text(text)


def probe(tmp_path, *arguments):
    code, out, err = logroute("probe", "a.yaml", "--format", "json", *arguments, cwd=tmp_path)
    assert "Traceback" not in err
    handlers = json.loads(out)["handlers"] if out else []
    return code, {item["handler"]: (item["outcome"], item["said"]) for item in handlers}, err


def mail_of(address):
    host, _, port = address.rpartition(":")
    return f"{{type: email, host: '{host}', port: {port}, security: none, from: a@b.c, to: d@e.f}}"


def test_each_handler_gets_one_marked_record(tmp_path):
    """Mail, TCP, UDP, HTTP, file and a class of stdlib each get the mark, once."""
    with SmtpReceiver() as mail, TcpReceiver() as tcp, UdpReceiver() as udp, HttpReceiver() as web:
        write(
            tmp_path,
            f"mail: {mail_of(mail.address)}",
            f"tcp: {{type: socket, address: '{tcp.address}'}}",
            f"udp: {{type: datagram, address: '{udp.address}'}}",
            f"web: {{type: http, url: 'http://{web.address}/x'}}",
            "file: {type: file, path: out.log}",
            "std: {class: logging.FileHandler, filename: std.log}",
        )
        code, found, err = probe(tmp_path, "--message", "from the test")
        assert (code, err) == (0, "")
        assert {outcome for outcome, _ in found.values()} == {"delivered"} and len(found) == 6
        assert found["udp"][1] == "nobody acknowledges it"
        for receiver in (mail, tcp, udp, web):
            receiver.wait_for(1)
            assert len(receiver.received) == 1
        assert "from the test" in mail.received[0].message.get_content()
        assert b"from the test" in web.received[0].body
        assert "from the test" in str(tcp.received) and "from the test" in str(udp.received)
    for name in ("out.log", "std.log"):
        text = (tmp_path / name).read_text()
        assert text.count("logroute probe ") == 1 and "from the test" in text


def test_servers_own_words_are_reported(tmp_path):
    """A refusal is told as the server said it, at once, and the exit code says so."""
    with HttpReceiver() as web, socket.create_server(("127.0.0.1", 0)) as closed:
        web.answer(403, body=b"your token has expired")
        port = closed.getsockname()[1]
        closed.close()
        write(
            tmp_path,
            f"web: {{type: http, url: 'http://{web.address}/x'}}",
            f"tcp: {{type: socket, address: '127.0.0.1:{port}'}}",
        )
        code, found, _ = probe(tmp_path)
    assert code == 1
    assert found["web"][0] == "failed" and "your token has expired" in found["web"][1]
    assert found["tcp"][0] == "failed" and "refused" in found["tcp"][1]


def test_server_that_never_answers_ends_in_time(tmp_path):
    """A silent server costs the time limit, not more, and is called failed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write(tmp_path, f"mail: {mail_of(f'127.0.0.1:{silent.getsockname()[1]}')}")
        code, found, _ = probe(tmp_path, "--timeout", "0.5")
    assert code == 1 and found["mail"][0] == "failed"


def test_filtered_record_is_told(tmp_path):
    """A handler whose filter drops the record is not called delivered."""
    write(
        tmp_path,
        "log: {type: file, path: out.log, filters: few}",
        more="filters: {few: {type: sample, keep_level: CRITICAL, rate: 0.0}}\n",
    )
    assert probe(tmp_path)[:2] == (1, {"log": ("filtered", "by filter few")})


def test_one_handler_can_be_chosen(tmp_path):
    """`--handler` sends to that one alone; a misspelt name is told with the likely one."""
    write(tmp_path, "a: {type: file, path: a.log}", "beta: {type: file, path: b.log}")
    assert probe(tmp_path, "--handler", "a")[1] == {"a": ("delivered", "")}
    assert not (tmp_path / "b.log").exists()
    code, _, err = probe(tmp_path, "--handler", "betta")
    assert code == 2 and "did you mean `beta`?" in err


@pytest.mark.parametrize("text", ["version: 1\nhandlers: {a: {type: consol}}\n", "[\n"])
def test_bad_file_is_not_probed(tmp_path, text):
    """A config with errors is reported as by check, with code 2."""
    (tmp_path / "a.yaml").write_text(text)
    code, out, err = logroute("probe", "a.yaml", cwd=tmp_path)
    assert code == 2 and "error[LR" in out and "Traceback" not in err


def test_text_for_people(tmp_path):
    """One line per handler, and where to look for the mark."""
    write(tmp_path, "log: {type: file, path: out.log}")
    code, out, err = logroute("probe", "a.yaml", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith(
        'delivered  log  out.log\n1 of 1 delivered; look there for "logroute probe '
    )
