"""What must never cross a network: the security list, line by line, on real wires."""

import ast
import datetime as dt
import ssl
from pathlib import Path

import pytest
import trustme
from network_kit import run_child

import logroute

ROOT = Path(logroute.__file__).parent

#: A server that keeps every byte it gets, also those of a TLS handshake.
WIRE = """
class Wire(TcpReceiver):
    '''Passes bytes on to another server, and keeps what the client said.'''

    def __init__(self, target):
        super().__init__()
        self.said = b""
        self._target = target

    def _handle(self, sock):
        host, _, port = self._target.rpartition(":")
        with self._connection(sock), socket.create_connection((host, int(port))) as server:
            back = threading.Thread(target=self._pass_back, args=(server, sock))
            back.start()
            while piece := sock.recv(65536):
                self.said += piece
                server.sendall(piece)
            server.shutdown(socket.SHUT_WR)
            back.join()

    def _pass_back(self, server, sock):
        with contextlib.suppress(OSError):
            while piece := server.recv(65536):
                sock.sendall(self.change(piece))
            sock.shutdown(socket.SHUT_WR)

    def change(self, piece):
        return piece


class Stripping(Wire):
    def change(self, piece):
        return piece.replace(b"250-STARTTLS\\r\\n", b"")


def context(path):
    made = __import__("ssl").create_default_context(__import__("ssl").Purpose.CLIENT_AUTH)
    made.load_cert_chain(path)
    return made
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Files: a trusted authority, and servers that must not be believed."""
    folder = tmp_path_factory.mktemp("certificates")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    made = {
        "good": authority.issue_cert("127.0.0.1", "localhost"),
        "self-signed": stranger.issue_cert("127.0.0.1", "localhost"),
        "wrong-host": authority.issue_cert("other.example.org"),
        "expired": authority.issue_cert("127.0.0.1", "localhost", not_after=past),
    }
    for name, cert in made.items():
        cert.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    return folder


def run(code, certificates, **names):
    known = {"folder": str(certificates), **names}
    head = WIRE + "".join(f"{name} = {value!r}\n" for name, value in known.items())
    return run_child(head + code)


MAIL = """
with SmtpReceiver(users={"app": "hunter2"}, **{kind: context(f"{folder}/{server}.pem")}) as mail:
    with wire(mail.address) as tap:
        configure(type="email", host="127.0.0.1", port=tap.port, security=kind,
                  tls={"ca_file": f"{folder}/ca.pem"}, username="app", password="hunter2",
                  to="d@e.f", batch={"max_wait": 0.01}, **{"from": "a@b.c"})
        log.error("the record")
        done = logroute.flush(1.0 if server != "good" or wire is Stripping else 10)
        logroute.shutdown(1)
        tell(mails=len(mail.received), logins=mail.logins, commands=mail.commands,
             said=tap.said.decode("latin-1"), counts=counts())
"""


@pytest.mark.parametrize("kind", ["starttls", "tls"])
@pytest.mark.parametrize("server", ["self-signed", "wrong-host", "expired"])
def test_mail_server_that_cannot_prove_its_name(certificates, kind, server):
    """S10: self-signed, wrong host, expired: no mail, no login, and nothing of them in clear."""
    told = run("wire = Wire\n" + MAIL, certificates, kind=kind, server=server)
    assert (told["mails"], told["logins"]) == (0, [])
    assert "MAIL" not in told["commands"]
    assert not {"hunter2", "the record", "AUTH"} & set(told["said"].split())
    assert "certificate is not trusted" in told["stderr"]
    assert sum(told["counts"]["dropped"].values()) == 1


def test_starttls_that_somebody_took_out(certificates):
    """S10: a server that offers no encryption any more is told nothing but our greeting."""
    told = run("wire = Stripping\n" + MAIL, certificates, kind="starttls", server="good")
    assert (told["mails"], told["logins"]) == (0, [])
    assert [line.split()[0] for line in told["said"].splitlines()] == ["ehlo", "QUIT"]
    assert "offers no STARTTLS" in told["stderr"]


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_password_is_encrypted(certificates, kind):
    """S10: the server that proves its name gets all, and who listens nothing."""
    told = run("wire = Wire\n" + MAIL, certificates, kind=kind, server="good")
    assert (told["mails"], told["logins"]) == (1, [["app", "hunter2"]])
    for word in ("hunter2", "AUTH", "the record", "YXBw"):
        assert word not in told["said"]


WEB = """
with HttpReceiver(tls=context(f"{folder}/{server}.pem")) as web, Wire(web.address) as tap:
    configure(type="http", url=f"https://127.0.0.1:{tap.port}/secret-path",
              tls={"ca_file": f"{folder}/ca.pem"}, auth={"bearer": "hunter2"})
    log.error("the record")
    logroute.flush(1.0 if server != "good" else 10)
    logroute.shutdown(1)
    tell(got=len(web.received), said=tap.said.decode("latin-1"), counts=counts())
"""


@pytest.mark.parametrize("server", ["self-signed", "wrong-host", "expired", "good"])
def test_web_service_must_prove_its_name(certificates, server):
    """S10: https without a proof of the name gets neither token nor record."""
    told = run(WEB, certificates, server=server)
    assert told["got"] == (server == "good")
    for word in ("hunter2", "the record", "secret-path"):
        assert word not in told["said"] + told["stderr"]


STREAM = """
with TcpReceiver(tls=context(f"{folder}/{server}.pem")) as tcp, Wire(tcp.address) as tap:
    configure(tap.address, tls={"ca_file": f"{folder}/ca.pem"})
    log.error("the record")
    logroute.flush(1.0 if server != "good" else 10)
    logroute.shutdown(1)
    tcp.wait_until(lambda: tcp.received or server != "good")
    tell(got=len(tcp.received), said=tap.said.decode("latin-1"))
"""


@pytest.mark.parametrize("server", ["self-signed", "wrong-host", "expired", "good"])
def test_stream_must_prove_its_name(certificates, server):
    """S10: a TLS stream likewise."""
    told = run(STREAM, certificates, server=server)
    assert told["got"] == (server == "good")
    assert "the record" not in told["said"]


def test_oldest_tls_is_1_2(certificates):
    """S10: nothing older is spoken, whatever the system allows."""
    from logroute.sinks import TlsSpec
    from logroute.sinks.net import tls_context

    for version, oldest in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
        context = tls_context(TlsSpec(min_version=version))
        assert context.minimum_version == oldest
        assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("environ", "hits"),
    [({}, [1, 0, 0]), ({"http_proxy": "PROXY", "HTTPS_PROXY": "PROXY"}, [1, 0, 0])],
)
def test_request_goes_nowhere_else(environ, hits):
    """S11: no redirect is followed, and a loopback service needs no proxy of the environment."""
    told = run_child(
        f"""
        with HttpReceiver() as web, HttpReceiver() as other, HttpReceiver() as proxy:
            for name, value in {environ!r}.items():
                os.environ[name] = value.replace("PROXY", f"http://{{proxy.address}}")
            web.answer(302, {{"Location": other.url}})
            configure(type="http", url=web.url, auth={{"bearer": "hunter2"}})
            log.error("x")
            logroute.flush(10)
            tell(hits=[len(item.received) for item in (web, other, proxy)], counts=counts())
        """
    )
    assert told["hits"] == hits
    assert told["counts"]["dropped"] == {"rejected": 1}


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@127.0.0.1/", "file:///etc/passwd", "ftp://h/", "http://h\\@x/"]
)
def test_url_cannot_be_twisted(url):
    """S11: other schemes and logins inside of a URL are refused before anything is opened."""
    document = {"version": 1, "handlers": {"out": {"type": "http", "url": url}}}
    with pytest.raises(logroute.ConfigError) as caught:
        logroute.configure(document)
    assert "hunter2" not in str(caught.value)


def test_headers_cannot_be_injected():
    """S9: a record's line breaks become no header of a mail; nobody else gets it."""
    told = run_child(
        """
        evil = "x\\r\\nBcc: victim@example.org\\r\\n\\r\\nbody\\u2028\\x85\\x1b[31m\\0" + "y" * 500
        with SmtpReceiver() as mail:
            configure(type="email", host="127.0.0.1", port=mail.port, security="none",
                      to="d@e.f", subject="{message} {name}", batch={"max_wait": 0.01},
                      **{"from": "a@b.c"})
            log.getChild("a\\r\\nCc: v@example.org").error(evil, extra={"host": "h\\r\\nX: y"})
            logroute.flush(10)
            mail.wait_for(1)
            (got,) = mail.received
            tell(to=got.recipients, keys=list(got.message.keys()), subject=got.message["Subject"])
        """
    )
    assert told["to"] == ["d@e.f"]
    assert not {"Bcc", "Cc", "X"} & set(told["keys"])
    assert len(told["subject"]) <= 200 and told["subject"].isprintable()


def test_secrets_stay_out_of_every_word_of_ours():
    """S12: servers that echo what they were sent put no secret into stderr, stats or repr."""
    told = run_child(
        """
        echo = b"denied: hunter2 Bearer hunter2 s3cr3t-key"
        with HttpReceiver() as web, SmtpReceiver(users={"app": "right"}) as mail:
            web.answer(403, body=echo, times=None)
            configure(type="http", url=web.url + "/hook-hunter2", auth={"bearer": "hunter2"},
                      headers={"X-Key": "s3cr3t-key"})
            log.error("x")
            logroute.flush(10)
            words = json.dumps(logroute.stats())
            configure(type="email", host="127.0.0.1", port=mail.port, security="none",
                      username="app", password="hunter2", to="d@e.f", batch={"max_wait": 0.01},
                      **{"from": "a@b.c"})
            log.error("x")
            logroute.flush(10)
            words += json.dumps(logroute.stats()) + repr(logroute.current())
            tell(words=words)
        """
    )
    words = told["words"] + told["stderr"]
    assert "answered 403" in words and "answered 535" in words
    for secret in ("hunter2", "s3cr3t", "aHVudGVyMg", "AGFwcABodW50ZXIy"):
        assert secret not in words


@pytest.mark.parametrize("formatter", ["text", "json", "logfmt"])
def test_locals_stay_out_of_tracebacks(formatter):
    """S13: a traceback shows code, never the values that it worked on."""
    told = run_child(
        f"""
        def fail(password):
            token = "canary-" + password
            return 1 / (len(token) - len(token))

        with TcpReceiver() as tcp:
            configure(tcp.address, formatter=None)
            logroute.shutdown(1)
            logroute.configure({{
                "version": 1, "root": {{"level": "INFO"}}, "routes": [{{"to": "out"}}],
                "formatters": {{"it": {{"type": {formatter!r}}}}},
                "handlers": {{"out": {{"type": "socket", "address": tcp.address,
                                      "formatter": "it"}}}}}})
            try:
                fail("hunter2-" + "x")
            except ZeroDivisionError:
                log.exception("it broke")
            logroute.flush(10)
            tcp.wait_for(1)
            tell(text=b" ".join(tcp.received).decode())
        """
    )
    assert "ZeroDivisionError" in told["text"] and "in fail" in told["text"]
    assert "canary-hunter2" not in told["text"]


def test_nothing_is_ever_unpickled():
    """S1: pickle is written for one framing that stdlib defines, and read nowhere."""
    importers, readers = set(), set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", ()) if hasattr(alias, "name")]
            if isinstance(node, ast.Import | ast.ImportFrom) and (
                {"pickle", "marshal", "shelve", "dill"} & {*names, getattr(node, "module", "")}
            ):
                importers.add(path.relative_to(ROOT).as_posix())
            if isinstance(node, ast.Attribute) and node.attr in ("Unpickler", "loads", "load"):
                owner = getattr(node.value, "id", "")
                if owner in ("pickle", "marshal"):
                    readers.add(path.name)
    assert importers == {"sinks/socket.py"}
    assert readers == set()


def test_pickles_that_arrive_stay_bytes():
    """S1: the receiver for tests interprets nothing that it is sent."""
    told = run_child(
        """
        import pickle, struct
        class Evil:
            def __reduce__(self):
                return (os.mkdir, ("/nonexistent/x",))
        data = pickle.dumps(Evil())
        with TcpReceiver("pickle") as tcp, socket.create_connection(("127.0.0.1", tcp.port)) as it:
            it.sendall(struct.pack(">L", len(data)) + data + b"\\xff\\xff\\xff\\xff" + b"x" * 100)
            tcp.wait_for(1)
            it.shutdown(socket.SHUT_WR)
            tcp.wait_until(lambda: tcp.faults)
            tell(same=tcp.received == [data], fault=str(tcp.faults[0]))
        """
    )
    assert told["same"] and "is too long" in told["fault"]


GUARANTEES = {
    "console": "at_most_once",
    "datagram": "at_most_once",
    "file": "at_least_once, acked_by: file",
    "socket": "at_least_once, acked_by: peer_kernel",
    "http": "at_least_once, acked_by: application",
    "email": "at_least_once, acked_by: application",
}


@pytest.mark.parametrize("kind", GUARANTEES)
def test_guarantee_has_the_agreed_words(kind):
    """Each kind says what a delivered record has survived, in the words of the docs."""
    from logroute.sinks import KINDS

    assert KINDS.get(kind).guarantee == GUARANTEES[kind]
