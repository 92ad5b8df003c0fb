"""docs/delivery.md: its config is good, its command prints what it shows, its words exist."""

import contextlib
import logging
import re
from pathlib import Path

from cli_kit import ROOT, logroute

import logroute as package
from logroute.config.guarantees import guarantee_of
from logroute.config.load import load
from logroute.delivery.specs import BreakerSpec, DeadLetterSpec, QueueSpec, RetrySpec, SpoolSpec

TEXT = (ROOT / "docs/delivery.md").read_text()
CONFIG = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1]
CONSOLE = re.search(r"```console\n(.*?)```", TEXT, re.DOTALL)[1]
PACKAGE = ROOT / "logroute"


def test_command_prints_what_is_shown(tmp_path):
    """The guarantees of the page are what a check of its config says."""
    (tmp_path / "logging.yaml").write_text(CONFIG)
    command, _, output = CONSOLE.removeprefix("$ logroute ").partition("\n")
    assert logroute(*command.split(), cwd=tmp_path)[1] == output


def test_numbers_of_the_page_are_the_defaults():
    """What the page says happens by itself is what the specs say."""
    breaker, retry, queue = BreakerSpec(), RetrySpec(), QueueSpec()
    assert (breaker.failures, breaker.probe_after, breaker.max_probe_after) == (5, 1.0, 60.0)
    assert (retry.max, retry.give_up_after, retry.factor) == (30.0, 300.0, 2.0)
    assert (queue.max_records, queue.max_bytes, queue.block_for) == (10_000, 16 << 20, 1.0)
    assert DeadLetterSpec(path="x").max_bytes


def test_guarantees_of_the_page_are_those_of_the_code():
    """Each word that a handler or a spool can promise is explained, and no other one."""
    spec = load(CONFIG, read_secrets=False).config.handlers["collector"]
    spools = [
        SpoolSpec(path="/x", write=write, sync=sync)
        for write in ("worker", "caller")
        for sync in ("none", "batch", "always")
    ]
    said = {guarantee_of(spec.replace(spool=spool)).partition(", acked_by")[0] for spool in spools}
    rows = set(re.findall(r"^\| `(at_[^`]*)` \|", TEXT, re.MULTILINE))
    assert rows == said | {"at_least_once", "at_most_once"}


def test_reasons_of_the_page_exist():
    """Each reason of a drop that the page names stands in the code."""
    table = TEXT.partition("| reason of a drop |")[2].partition("\n\n")[0]
    cells = " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    reasons = re.findall(r"`([a-z_]+)`", cells)
    code = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert len(reasons) > 8 and all(f'"{reason}"' in code for reason in reasons)


def test_links_of_the_page_lead_somewhere():
    """Every page that it points to is there."""
    links = set(re.findall(r"\]\(([^)#]+)\)", TEXT))
    assert links and all(Path(ROOT / "docs" / link).exists() for link in links)


def test_audit_of_the_page_raises(tmp_path):
    """The program of the page is told what its config could not deliver."""
    _, after = TEXT.split("## Audited routes", 1)
    config = re.search(r"```yaml\n(.*?)```", after, re.DOTALL)[1]
    program = re.search(r"```python\n(.*?)```", after, re.DOTALL)[1]
    refunded = []
    names = {"logging": logging, "logroute": package, "refund": refunded.append}
    for path, expected in (("ledger.log", []), ("/dev/full", [4711])):
        text = config.replace("/var/log/shop/ledger.log", path)
        text = text.replace(", rotate: {size: 10MiB, keep: 100}", "").replace(
            "/var/log/shop", "LOG"
        )
        with contextlib.chdir(tmp_path):
            runtime = package.configure(text)
            exec(program, names)
            runtime.shutdown(5)
        assert refunded == expected
    assert (tmp_path / "ledger.log").read_text().count("paid") == 1
