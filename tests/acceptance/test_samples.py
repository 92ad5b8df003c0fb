"""Every file in sample-configs/ says who it is for, passes check, and works."""

import json
import logging
import os
from pathlib import Path

import pytest

import logroute
from logroute.config.load import load
from logroute.diagnostics import Severity
from logroute.receivers import HttpReceiver, SmtpReceiver, TcpReceiver, UdpReceiver

FOLDER = Path(__file__).resolve().parents[2] / "sample-configs"
SAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder of our own, as the samples' relative paths expect."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_sample_says_whom_it_is_for_and_passes(path):
    """The first line says who it is for; check finds nothing but remarks."""
    assert path.read_text().startswith("# For ")
    profiles = [None, "staging", "production"] if path.name == "environments.yaml" else [None]
    for profile in profiles:
        found = load(str(path), profile=profile, read_secrets=False, advise=True).diagnostics
        assert [str(item) for item in found if item.severity is not Severity.INFO] == []


def configure(name, **options):
    return logroute.configure(FOLDER / name, **options)


def test_minimal_logs_to_console_and_file(here, capfd):
    """minimal: one record on the console and in the file."""
    configure("minimal.yaml")
    logging.getLogger("job").info("done")
    assert logroute.flush(10)
    assert (here / "logs/app.log").read_text().endswith("INFO     job: done\n")
    assert "job: done" in capfd.readouterr().err


def test_fan_out_reaches_real_servers(here, monkeypatch):
    """fan-out: each level reaches its server."""
    text = (FOLDER / "fan-out.yaml").read_text()
    with SmtpReceiver() as smtp, TcpReceiver() as tcp, HttpReceiver() as http, UdpReceiver() as udp:
        monkeypatch.setenv("METRICS", udp.address)
        monkeypatch.setenv("COLLECTOR", tcp.address)
        monkeypatch.setenv("ALERTS_URL", http.url)
        # the servers of the test speak neither TLS nor AUTH
        text = text.replace("    tls: {}  ", "    #").replace("    username: app\n", "")
        text = text.replace("    password: ${env:SMTP_PASSWORD:-}\n", "    security: none\n")
        text = text.replace("${SMTP_HOST:-smtp.example.org}", f"127.0.0.1\n    port: {smtp.port}")
        runtime = logroute.configure(text)
        logging.getLogger("app.healthcheck").error("silent")
        logging.getLogger("app.payments").error("declined")
        logging.getLogger("app.payments").info("paid")
        logging.getLogger("app").debug("figures")
        assert runtime.flush(20)
        assert udp.wait_for(1) and tcp.wait_for(1)
        assert [json.loads(line)["message"] for line in tcp.received] == ["paid"]
        assert [json.loads(line)["message"] for line in udp.received] == ["figures"]
        assert [json.loads(r.content)["message"] for r in http.received] == ["declined"]
        assert ["declined" in mail.text for mail in smtp.received] == [True]
        assert (here / "logs/app.log").read_text().count("\n") == 2
        runtime.shutdown(5)


def test_web_service_writes_json_to_stdout(here, capfd):
    """web-service: JSON lines on stdout with context, health checks dropped."""
    configure("web-service.yaml")
    logging.getLogger("uvicorn.access").info('%s - "GET /health HTTP/1.1" 200', "1.2.3.4")
    logging.getLogger("uvicorn.access").info('%s - "GET /cart HTTP/1.1" 200', "1.2.3.4")
    logging.getLogger("app").info("sold", extra={"item": 7})
    assert logroute.flush(10)
    access, sold = map(json.loads, capfd.readouterr().out.splitlines())
    assert "/cart" in access["message"]
    assert (sold["service"], sold["environment"], sold["item"]) == ("shop", "development", 7)


def test_dictconfig_file_works_as_it_is(here, capfd):
    """dictconfig: stdlib's classes, filter, stream and propagate mean what they mean."""
    (here / "logs").mkdir()
    configure("dictconfig.yaml")
    logging.getLogger("shop.cart").info("seen")
    logging.getLogger("other").info("filtered")
    logging.getLogger("shop.audit").debug("audited")
    assert logroute.flush(10)
    assert capfd.readouterr().out == "INFO     shop.cart seen\n"
    lines = (here / "shop.log").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["seen", "filtered", "audited"]


def test_noisy_library_is_set_aside(here, capfd):
    """noisy-library: chatter goes to its own file, its warnings reach the console too."""
    configure("noisy-library.yaml")
    pool = logging.getLogger("urllib3.connectionpool")
    pool.debug("chatter")
    pool.warning("Retrying (3) after connection broken")
    pool.warning("pool is full")
    logging.getLogger("app").info("mine")
    assert logroute.flush(10)
    shown = capfd.readouterr().err
    assert ("chatter" in shown, "Retrying" in shown) == (False, False)
    assert ("pool is full" in shown, "mine" in shown) == (True, True)
    aside = (here / "logs/chatter.log").read_text()
    assert ("chatter" in aside, "pool is full" in aside, "Retrying" in aside) == (True, True, False)


def test_environments_follow_the_profile(here, capfd, monkeypatch):
    """environments: profiles change handlers and routes; secrets come from outside."""
    configure("environments.yaml")
    logging.getLogger("a").debug("development")
    assert logroute.flush(10)
    assert "development" in capfd.readouterr().err
    monkeypatch.setenv("LOGROUTE_PROFILE", "staging")
    configure("environments.yaml")
    logging.getLogger("a").info("staged")
    assert logroute.flush(10)
    assert "staged" in (here / "logs/staging.log").read_text()
    secret = here / "token"
    secret.write_text("s3cret\n")
    text = (FOLDER / "environments.yaml").read_text()
    with HttpReceiver() as http:
        monkeypatch.setenv("ALERTS_URL", http.url)
        text = text.replace("/run/secrets/alerts_token", os.fspath(secret))
        logroute.configure(text, profile="production")
        logging.getLogger("a").error("alarm")
        assert logroute.flush(10)
        (request,) = http.received
        assert request.headers["authorization"] == "Bearer s3cret"
        assert json.loads(request.content)["region"] == "eu-west"
        logroute.shutdown(5)
    assert json.loads(capfd.readouterr().out)["message"] == "alarm"


def test_audit_keeps_payments_and_mails_no_cards(here):
    """audit: the ledger has a payment at once, or the call raises; mail has no card numbers."""
    text = (FOLDER / "audit.yaml").read_text()
    payments = logging.getLogger("shop.payments")
    with SmtpReceiver() as smtp:
        mail = f"127.0.0.1\n    port: {smtp.port}\n    security: none"
        runtime = logroute.configure(text.replace("${SMTP_HOST:-smtp.example.org}", mail))
        payments.info("paid card=4711")
        (line,) = (here / "logs/ledger.jsonl").read_text().splitlines()
        assert json.loads(line)["message"] == "paid card=4711"
        payments.error("declined card=4711")
        assert runtime.flush(20)
        (letter,) = smtp.received
        assert "declined ***" in letter.text and "4711" not in letter.text
        assert (here / "logs/app.log").read_text().count("card=4711") == 2
        runtime.shutdown(5)
    logroute.configure(text.replace("logs/ledger.jsonl", "/dev/full"))
    with pytest.raises(logroute.AuditError, match="handler `ledger`"):
        payments.info("paid")
