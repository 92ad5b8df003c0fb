"""Filters of routes and audited routes, as the commands tell of them."""

import json
import re

import jsonschema
import pytest
from cli_kit import ROOT, logroute

CONFIG = """\
version: 1
formatters: {bare: {format: "%(message)s"}}
filters:
  cards: {type: redact, patterns: "card=[0-9]+"}
  shop: {name: shop}
  some: {type: sample, rate: 0.5, keep_level: ERROR}
  once: {type: dedupe}
handlers:
  file: {type: file, path: /var/log/app.log, formatter: bare}
  books: {type: file, path: /var/log/books.log, formatter: bare}
  mail: {type: email, host: mx.example.org, from: a@example.org, to: [ops@example.org]}
root: {level: INFO}
routes:
  - {name: ours, match: {level: ERROR}, filters: shop, to: mail}
  - {match: {logger: shop}, filters: [cards, some], to: books, audit: true}
  - {filters: once, to: [file, books]}
"""


@pytest.fixture
def run(tmp_path):
    def run_command(*words, text=CONFIG, stdin=None):
        (tmp_path / "c.yaml").write_text(text)
        return logroute(*words, cwd=tmp_path, **({"input": stdin} if stdin else {}))

    return run_command


def test_explain_tells_which_filter_drops(run):
    """The route that dropped the record says so, and the handlers that miss it for that."""
    words = ("--logger", "web", "--level", "ERROR", "--message", "x")
    code, out, _ = run("explain", "c.yaml", *words)
    assert code == 0
    assert "level: ERROR and above  -> nothing: its filter `shop` drops it\n" in out
    assert "not reached: mail, since filter `shop` of ours drops it\n" in out
    assert out.endswith("reaches: file, books\n")


def test_explain_shows_audit_chance_and_text(run):
    """An audited route is marked, a sample leaves a doubt, and each handler writes its own."""
    words = ("--logger", "shop.cart", "--message", "card=1", "--output")
    _, out, _ = run("explain", "c.yaml", *words)
    assert "  -> books, audited\n" in out
    doubt = "since filter `some` of routes[1] lets 50% of such records pass"
    assert f"perhaps not reached: books, {doubt}\n" in out
    assert "books writes: ***\n" in out and "file writes: card=1\n" in out


def test_explain_as_json_names_filter_and_route(run):
    """The JSON follows its schema and says which filter of which route it was."""
    words = ("--logger", "web", "--level", "ERROR", "--format", "json")
    told = json.loads(run("explain", "c.yaml", *words)[1])
    schema = json.loads((ROOT / "schemas/explain.schema.json").read_text())
    jsonschema.Draft7Validator(schema).validate(told)
    route, _, last = told["routes"]
    assert (route["handlers"], route["withheld"], route["filter"]) == ([], ["mail"], "shop")
    assert (last["filter"], last["audit"], told["routes"][1]["audit"]) == (None, False, True)
    mail = next(item for item in told["handlers"] if item["handler"] == "mail")
    assert (mail["filter"], mail["route"], mail["reached"]) == ("shop", "ours", False)


def test_replay_counts_what_routes_drop(run, tmp_path):
    """Records are counted by the filter of the route that drops them."""
    lines = [
        json.dumps({"level": level, "logger": logger, "message": "same"})
        for level, logger in (("ERROR", "web"), ("ERROR", "shop"), ("INFO", "web"), ("INFO", "web"))
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    code, out, _ = run("explain", "c.yaml", "--from-log", "log.jsonl", "--format", "json")
    assert code == 0
    found = json.loads(out)["handlers"]
    assert (found["mail"]["records"], found["mail"]["filtered"]) == (1, {"shop": 1})
    assert (found["file"]["records"], found["file"]["filtered"]) == (3, {"once": 1})
    assert (found["books"]["records"], found["books"]["filtered"]) == (3, {"once": 1})
    told = run("explain", "c.yaml", "--from-log", "log.jsonl")[1]
    assert "1 dropped by the filter `shop` on the way to `mail`\n" in told


def test_tests_of_a_config_see_route_filters(run):
    """`logroute test` runs them."""
    text = CONFIG + (
        "tests:\n"
        "  - record: {logger: web, level: ERROR}\n    expect: {to: [file, books]}\n"
        "  - record: {logger: shop, level: ERROR, message: card=1}\n"
        "    expect: {to: [mail, books, file], output: {books: {equals: '***'}}}\n"
    )
    assert run("test", "c.yaml", text=text)[0] == 0


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("filters: shop, to: mail", "to: mail", "~mail (before through shop; now all records)"),
        ("[cards, some], ", "[cards], ", "now through cards or through once; audited)"),
        (
            "to: books, audit: true",
            "to: books",
            "(before through cards, some or through once; audited; now through cards, some or ",
        ),
    ],
)
def test_diff_tells_of_filters_and_audits(run, tmp_path, before, after, told):
    """Another filter of a route, or another word on audit, is a change of the routing."""
    assert before in CONFIG
    (tmp_path / "new.yaml").write_text(CONFIG.replace(before, after))
    code, out, _ = run("diff", "c.yaml", "new.yaml")
    assert code == 0 and told in out


@pytest.mark.parametrize(
    ("format", "told"),
    [
        ("tree", "through cards (redact), some (sample)  -> books  audited"),
        ("mermaid", "through cards #40;redact#41;, some"),
        ("dot", "audited"),
        (
            "html",
            "through <code>cards (redact)</code>, <code>some (sample)</code>, audited",
        ),
        ("svg", "audited"),
    ],
)
def test_graph_shows_filters_and_audits(run, format, told):
    """Each drawing says what a route does besides sending on."""
    code, out, _ = run("graph", "c.yaml", "--format", format)
    assert code == 0 and told in out


def test_check_tells_what_is_audited(run):
    """The guarantees of a handler name the routes that raise."""
    _, out, _ = run("check", "-v", "c.yaml")
    assert "acked_by: file; audited by routes[1]\n" in out


def test_filter_of_a_route_is_used_and_known(run):
    """A filter that only a route has is no unused one, and its name is looked up."""
    text = CONFIG.replace("filters: once", "filters: onse")
    code, out, _ = run("check", "c.yaml", text=text)
    assert code == 1 and "LR201" in out and "`once`" in out
    code, out, _ = run("check", "c.yaml")
    assert "LR202" not in out


def test_config_of_the_page_is_good(run):
    """The example of docs/config.md has nothing to find, and does what the page says."""
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/config.md").read_text(), re.DOTALL)[1]
    assert run("check", "-v", "c.yaml", text=text)[0] == 0
    words = ("--logger", "a", "--level", "ERROR", "--message", "card=1", "--output")
    out = run("explain", "c.yaml", *words, text=text)[1]
    mail, file = (line.split()[-1] for line in out.splitlines()[-2:])
    assert (mail, file) == ("***", "card=1")
