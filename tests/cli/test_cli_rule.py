"""`logroute rule` and the pages made of it."""

import json
import re

import pytest
from cli_kit import logroute
from rule_pages import FIXABLE, PAGES, fixable, pages

from logroute.cli.rule import AREAS, blocks, markdown
from logroute.config.rules.catalogue import catalogue


def test_page_is_found_by_code_and_by_name():
    """A rule answers to its code, in any case, and to its name."""
    code, out, err = logroute("rule", "lr302", environment={"COLUMNS": "80"})
    assert (code, err) == (0, "")
    assert out.startswith("LR302 unreachable-route  warning\n\nRoutes that can never get a record.")
    assert "\n    routes:\n" in out and "::" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert logroute("rule", "unreachable-route")[1] == logroute("rule", "LR302")[1]


def test_unknown_rule_is_told():
    """A word that is no rule ends with 2 and what was likely meant; the others are shown."""
    code, out, err = logroute("rule", "unreachble-route", "LR201")
    assert code == 2 and out.startswith("LR201 ")
    assert "did you mean `unreachable-route`?" in err
    assert logroute("rule", "LR999")[0] == 2


def test_json_has_every_rule():
    """All rules come as one JSON list."""
    code, out, _ = logroute("rule", "--all", "--format", "json")
    rules = {rule["code"]: rule for rule in json.loads(out)}
    assert code == 0 and list(rules) == list(catalogue())
    keys = {"code", "name", "severity", "summary", "page", "fixable", "fix", "url"}
    assert all(set(rule) == keys for rule in rules.values())
    assert rules["LR302"]["url"] == "docs/rules/LR302.md"
    assert rules["LR901"]["fix"] == "unsafe" and rules["LR103"]["fixable"] is True


def test_list_has_every_rule_and_area():
    """Without a rule to look for, each one has a line below its area."""
    _, out, _ = logroute("rule")
    assert [line for line in out.splitlines() if line in AREAS.values()] == list(AREAS.values())
    assert re.findall(r"^  (LR\d{3}) ", out, re.MULTILINE) == list(catalogue())


def test_start_of_a_code_is_an_area():
    """`LR3` stands for all that begins so."""
    _, out, _ = logroute("rule", "LR30", "--format", "json")
    assert [rule["code"] for rule in json.loads(out)] == [c for c in catalogue() if c[:4] == "LR30"]


@pytest.mark.parametrize("code", catalogue())
def test_page_renders(code):
    """Examples are fenced, backticks come in pairs, and no markup of docstrings is left."""
    rule = catalogue()[code]
    text = markdown(rule)
    assert text.startswith(f"# {code} `{rule.name}`\n")
    assert text.count("```") == 2 * sum(block.is_example for block in blocks(rule.page)) > 0
    prose = re.sub(r"```yaml\n.*?```", "", text, flags=re.DOTALL)
    assert "::\n" not in prose and f"({code})" not in prose
    assert all(part.replace("``", "").count("`") % 2 == 0 for part in prose.split("\n\n"))


def test_pages_are_fresh():
    """`python tests/kits/rule_pages.py` has been run since a rule or fixture changed."""
    made = pages()
    assert sorted(made) == sorted(path.name for path in PAGES.glob("*.md"))
    stale = [name for name, text in made.items() if (PAGES / name).read_text() != text]
    assert stale == []


def test_links_of_pages_lead_somewhere():
    """Every page that the table names is there."""
    links = re.findall(r"\]\((LR\d{3}\.md)\)", (PAGES / "README.md").read_text())
    assert links == [f"{code}.md" for code in catalogue()]
    assert all((PAGES / link).is_file() for link in links)


def test_table_of_fixes_is_fresh():
    """The rules said to have a fix are those whose findings in the fixtures have one."""
    assert FIXABLE.read_text() == fixable()
