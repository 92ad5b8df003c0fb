"""Records made on purpose to break something, through every formatter and every sink."""

import json
import logging
import re
import sys
from urllib.parse import parse_qs

import pytest
from hostile_kit import BIDI, CONTROLS, FORGED, LONG, long_records, make, raised, records
from network_kit import run_child

from logroute.formatters import KINDS as FORMATTERS
from logroute.sinks import KINDS as SINKS

FORMATS = {
    "text": FORMATTERS.get("text")(),
    "braces": FORMATTERS.get("text")(style="{"),
    "dollar": FORMATTERS.get("text")(style="$"),
    "indent": FORMATTERS.get("text")(newlines="indent"),
    "keep": FORMATTERS.get("text")(newlines="keep"),
    "json": FORMATTERS.get("json")(),
    "json-more": FORMATTERS.get("json")(
        fields=("lineno", "funcName", "threadName"), timestamp="epoch", ascii=True
    ),
    "logfmt": FORMATTERS.get("logfmt")(),
    "ecs": FORMATTERS.get("ecs")(),
    "gelf": FORMATTERS.get("gelf")(host="h"),
}
JSON = ["json", "json-more", "ecs", "gelf"]
DESTINATIONS = {
    "console": SINKS.get("console")(color="never"),
    "file": SINKS.get("file")(path="x"),
    "email": SINKS.get("email")(host="h", sender="a@b", to=("c@d",)),
    "datagram": SINKS.get("datagram")(address="h:1"),
    "newline": SINKS.get("socket")(address="h:1"),
    "length": SINKS.get("socket")(address="h:1", framing="length"),
    "octet": SINKS.get("socket")(address="h:1", framing="octet"),
    "pickle": SINKS.get("socket")(address="h:1", framing="pickle"),
    "ndjson": SINKS.get("http")(url="http://h"),
    "form": SINKS.get("http")(url="http://h", body="form"),
}
FORBIDDEN = re.compile(f"[{re.escape(CONTROLS.replace(chr(9), '') + BIDI)}\u2028\u2029]")


def refuse(word):
    raise ValueError(word)


def parsed(text):
    """Return a JSON document as a strict reader sees it."""
    return json.loads(text, parse_constant=refuse)


def has_trace(record):
    values = record.__dict__
    return any(values.get(key) for key in ("exc_info", "exc_text", "stack_info"))


@pytest.mark.parametrize("name", FORMATS)
def test_formatter_shows_every_record(name):
    """Faults 59, 60: any record becomes text, and stays as it was for the others."""
    format = FORMATS[name].formatter().format
    for what, record in records():
        before = dict(record.__dict__)
        assert isinstance(format(record), str), what
        after = record.__dict__
        assert before.keys() == after.keys(), what
        assert all(before[key] is after[key] for key in before), what


@pytest.mark.parametrize("name", ["text", "braces", "dollar", "logfmt", *JSON])
def test_record_is_one_clean_line(name):
    """S8: nothing in a record ends its line, moves a cursor or turns the text around."""
    format = FORMATS[name].formatter().format
    for what, record in records():
        if name in ("text", "braces", "dollar") and has_trace(record):
            continue
        found = FORBIDDEN.findall(format(record))
        assert found == [], what


@pytest.mark.parametrize("name", ["text", "braces", "dollar"])
def test_traceback_forges_no_record(name):
    """S8: below a record no line at the margin is anything but the traceback's own."""
    format = FORMATS[name].formatter().format
    for what, record in records():
        if has_trace(record):
            lines = format(record).split("\n")[1:]
            assert [line for line in lines if line.startswith("2030")] == [], what
            assert FORBIDDEN.findall("".join(lines)) == [], what


def test_traceback_stays_readable():
    """A traceback is shown as Python shows it, chained ones too."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as fault:
            raise ValueError("outer") from fault
    except ValueError:
        info = sys.exc_info()
    shown = FORMATS["text"].formatter().format(make(exc_info=info))
    assert shown.partition("\n")[2] == logging.Formatter().formatException(info)
    again = FORMATS["text"].formatter().format(make(exc_text=shown.partition("\n")[2]))
    assert again.splitlines()[-1].strip() == "ValueError: outer"


def test_traceback_as_text_is_guarded():
    """One that came as text cannot be told from what it quotes, so the margin is narrow."""
    text = f"Traceback (most recent call last):\n  File\nE: a\n{FORGED}\nTraceback"
    shown = FORMATS["text"].formatter().format(make(exc_text=text)).splitlines()[1:]
    assert shown[:3] == ["Traceback (most recent call last):", "  File", "E: a"]
    assert shown[3:] == [f"    {FORGED}", "    Traceback"]


@pytest.mark.parametrize("name", JSON)
def test_json_is_valid_whatever_is_in_it(name):
    """Fault 59: strict readers take it, NaN and lone surrogates or not; keys do not clash."""
    format = FORMATS[name].formatter().format
    for what, record in records():
        text = format(record)
        pairs = json.loads(text, object_pairs_hook=list, parse_constant=refuse)
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys), what
        text.encode()


@pytest.mark.parametrize("kind", DESTINATIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_encoder_takes_every_record(kind, name):
    """Fault 59: each formatter with each destination makes bytes of any record."""
    encode = DESTINATIONS[kind].encoder(FORMATS[name].formatter().format)
    for what, record in records():
        payload = encode(record)
        assert isinstance(payload, bytes), what
        CHECKS.get(kind, lambda _: None)(payload)


def check_line(payload):
    assert payload.endswith(b"\n") and payload.count(b"\n") == 1


def check_mail(payload):
    subject = payload.decode().partition("\n")[0]
    assert len(subject) <= 200 and (subject.isprintable())


def check_datagram(payload):
    assert len(payload) <= 8192
    if payload[:1] == b"{" and not payload.endswith(b"..."):
        parsed(payload)


def check_length(payload):
    assert int.from_bytes(payload[:4], "big") == len(payload) - 4


def check_octets(payload):
    size, _, rest = payload.partition(b" ")
    assert int(size) == len(rest)


def check_json(payload):
    assert b"\n" not in payload
    parsed(payload)


CHECKS = {
    "newline": check_line, "email": check_mail, "datagram": check_datagram, "ndjson": check_json,
    "length": check_length, "pickle": check_length, "octet": check_octets,
    "form": lambda payload: parse_qs(payload.decode("ascii"), strict_parsing=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", DESTINATIONS)
def test_text_of_a_record_is_never_interpreted(kind):
    """S6, S7: what looks like a format, a field or a lookup stays as it is."""
    words = "%(name)s %s {0.__class__} {name} ${name} ${env:HOME} ${jndi:ldap://x} $HOME"
    for name in ("text", "json", "logfmt"):
        encode = DESTINATIONS[kind].encoder(FORMATS[name].formatter().format)
        payload = encode(make(words))
        if kind == "form":
            assert parse_qs(payload.decode())["message"] == [words]
        else:
            assert words.encode() in payload


@pytest.mark.parametrize("kind", ["email", "datagram", "newline", "pickle", "ndjson", "form"])
@pytest.mark.parametrize("what", LONG)
def test_long_record_is_cut_for_a_network(kind, what):
    """S16: megabytes become 256 KiB that say so, and JSON stays JSON."""
    values = LONG[what]
    encode = DESTINATIONS[kind].encoder(FORMATS["json"].formatter().format)
    rest = {key: value for key, value in values.items() if key != "msg"}
    payload = encode(make(values["msg"], **rest))
    assert len(payload) <= (9 << 10 if kind == "datagram" else 260 << 10)
    assert b"cut" in payload or b"fields_left_out" in payload
    if kind in ("datagram", "newline", "ndjson"):
        parsed(payload)


def test_short_record_is_not_cut():
    """Up to the bound nothing changes."""
    encode = DESTINATIONS["newline"].encoder(FORMATS["json"].formatter().format)
    record = make("x" * 200_000, exc_info=raised(ValueError("y" * 10_000)))
    assert encode(record) == (FORMATS["json"].formatter().format(record) + "\n").encode()


def test_cut_traceback_keeps_its_end():
    """The end of a long traceback says what happened."""
    encode = DESTINATIONS["newline"].encoder(FORMATS["json"].formatter().format)
    record = make("m" * 300_000, exc_info=raised(ValueError("y" * 300_000 + " the end")))
    said = parsed(encode(record))
    assert said["exception"].endswith("the end") and "[cut: 300" in said["exception"]
    assert said["message"].endswith("...[cut: 300000 characters]")


@pytest.mark.parametrize("kind", ["file", "console"])
def test_long_record_is_whole_in_a_file(kind):
    """A message of 10 MB is legitimate where it stays on the machine."""
    encode = DESTINATIONS[kind].encoder(FORMATS["text"].formatter().format)
    for _, record in long_records():
        assert b"[cut:" not in encode(record)


def test_every_record_ends_delivered_or_counted(tmp_path):
    """Faults 49, 59, 60: through the whole way to real servers, no record is lost in silence."""
    told = run_child(
        f"""
        import hostile_kit

        class Plain(logging.Handler):
            seen = 0
            def emit(self, record):
                Plain.seen += 1
                self.format(record)

        with (HttpReceiver() as web, SmtpReceiver() as mail, TcpReceiver() as tcp,
              TcpReceiver("pickle") as pickled, UdpReceiver() as udp):
            handlers = {{
                "file": {{"type": "file", "path": {str(tmp_path / "x.log")!r}}},
                "http": {{"type": "http", "url": web.url}},
                "form": {{"type": "http", "url": web.url, "body": "form"}},
                "mail": {{"type": "email", "host": "127.0.0.1", "port": mail.port,
                          "security": "none", "from": "a@b.c", "to": "d@e.f",
                          "batch": {{"max_wait": 0}}}},
                "tcp": {{"type": "socket", "address": tcp.address}},
                "pickled": {{"type": "socket", "address": pickled.address, "framing": "pickle"}},
                "udp": {{"type": "datagram", "address": udp.address}},
                "plain": {{"()": "__main__.Plain"}},
            }}
            config = {{"version": 1, "handlers": handlers, "root": {{"level": "NOTSET"}}}}
            runtime = logroute.configure({{**config, "routes": [{{"to": list(handlers)}}]}})
            log, made = logging.getLogger("app"), 0
            stdlib = logging.Logger("app")
            stdlib.addHandler(logging.NullHandler())
            for what, record in hostile_kit.records():
                try:
                    stdlib.handle(record)
                    is_seen = record.levelno >= 0
                except (TypeError, AttributeError):
                    continue  # a level that is none, which no handler of stdlib's gets to see
                log.handle(record)
                made += is_seen
            logroute.flush(30)
            logroute.shutdown(10)
            stats = runtime.stats()  # what is said of losses may come after a flush
            print(json.dumps({{"made": made, "stats": stats, "tcp": len(tcp.received),
                               "pickled": len(pickled.received), "plain": Plain.seen}}))
        """
    )
    stats = told["stats"]
    taken = stats["accepted"]
    assert (taken, stats["faults"]) == (told["made"], 0)
    assert taken > 100
    for name, counts in stats["handlers"].items():
        dropped = counts["dropped"]
        assert set(dropped) <= ({"rejected"} if name == "plain" else set()), (name, counts)
        ended = counts["delivered"] + sum(dropped.values())
        # and what is said of the losses of `plain`
        assert taken <= ended == counts["enqueued"] <= taken + 2, (name, counts)
    assert taken <= told["tcp"] <= taken + 2 >= told["pickled"] >= taken


def test_long_record_costs_little_memory():
    """S16: a message of 10 MB is delivered cut, in less than three times its memory."""
    told = run_child(
        """
        with HttpReceiver() as web:
            logroute.configure({"version": 1, "root": {"level": "INFO", "handlers": ["web"]},
                                "handlers": {"web": {"type": "http", "url": web.url}}})
            log = logging.getLogger("app")
            log.info("small")
            logroute.flush(10)
            message = "x" * 10_000_000
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(20):
                log.info(message)
                logroute.flush(10)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            bodies = [len(request.body) for request in web.received]
            print(json.dumps({"grown": after - before, "bodies": bodies,
                              "counts": logroute.stats()["handlers"]["web"]}))
        """
    )
    assert told["grown"] < 30_000  # kB
    assert told["counts"]["delivered"] == 21
    assert max(told["bodies"]) < 256 << 10


def test_exception_and_extras_keep_their_form():
    """Fault 63: what stdlib's queue glues into the message arrives as fields."""
    told = run_child(
        """
        with TcpReceiver() as tcp:
            logroute.configure({"version": 1, "root": {"level": "INFO", "handlers": ["tcp"]},
                                "handlers": {"tcp": {"type": "socket", "address": tcp.address}}})
            try:
                1 / 0
            except ZeroDivisionError:
                logging.getLogger("app").exception(
                    "failed %s", "here", extra={"tenant": {"id": 7}}, stack_info=True)
            logroute.flush(10)
            tcp.wait_for(1)
            print(tcp.received[0].decode())
        """
    )
    assert (told["message"], told["tenant"]) == ("failed here", {"id": 7})
    assert "ZeroDivisionError" in told["exception"] and told["stack"].startswith("Stack")
