"""`logroute test`: examples hold, or it is said where, what was expected and why not."""

import json
import xml.etree.ElementTree as ET

import jsonschema
import pytest
from cli_kit import ROOT, logroute

from logroute.cli.verdicts.keywords import parse_keywords

SCHEMA = json.loads((ROOT / "schemas/test-report.schema.json").read_text())
CONFIG = """version: 1
formatters:
  line: {format: "{asctime} {levelname} {name}: {message}", style: "{"}
filters:
  cards: {type: redact, patterns: "card=[0-9]+"}
  rare: {type: sample, rate: 0.01}
handlers:
  console: {type: console, formatter: line, filters: cards, color: always}
  mail: {type: email, host: h.example, from: a@x.example, to: b@x.example}
  file: {type: file, path: /nonexistent/app.log, filters: rare}
root: {level: INFO}
routes:
  - {match: {logger: app.health}, to: [], final: true}
  - {match: {level: ERROR}, to: mail}
  - {match: {logger: app}, to: [console, file]}
"""


def run(tmp_path, tests, *arguments, config=CONFIG):
    (tmp_path / "c.yaml").write_text(config + "tests:\n" + tests)
    return logroute("test", "c.yaml", *arguments, cwd=tmp_path)


def test_all_keys_of_expect_can_hold(tmp_path):
    """Exact, included, excluded, dropped and written: all true here, so exit 0."""
    code, out, err = run(
        tmp_path,
        """
  - {record: {logger: app, level: ERROR}, expect: {to: [file, mail, console]}}
  - {record: {logger: app}, expect: {includes: console, excludes: [mail]}}
  - {record: {logger: app.health.x, level: ERROR}, expect: {dropped: true, to: []}}
  - {record: {logger: app, level: DEBUG}, expect: {dropped: true}}
  - record: {logger: app, level: 40, message: "%s card=%d", args: [no, 4111], time: 2026-05-01}
    expect:
      dropped: false
      output:
        console: {equals: "2026-05-01 00:00:00,000 ERROR app: no ***", excludes: "4111"}
        mail: {contains: ["[ERROR] app: no card=4111", "app: no"], matches: '^\\[ERROR\\]'}
""",
    )
    assert (code, out, err) == (0, "5 tests, 0 failed\n", "")


def test_failure_says_where_what_and_why(tmp_path):
    """The exact key, both sets, their difference, and the way of the record."""
    code, out, _ = run(
        tmp_path,
        "  - name: errors go to the file alone\n"
        "    record: {logger: app, level: error, message: hi}\n"
        "    expect: {to: [file, console]}\n",
    )
    assert code == 1
    assert out.splitlines() == [
        "FAILED c.yaml::errors go to the file alone",
        "  c.yaml:19:14: `to`: the record goes elsewhere",
        "    expected:   file, console",
        "    got:        mail, console, file",
        "    unexpected: mail",
        "  record  app ERROR 'hi'",
        "  logger level INFO (from `root`, c.yaml:11:15)",
        "    - routes[0]  c.yaml:13:5  does not hold: logger: app.health",
        "    + routes[1]  c.yaml:14:5  level: ERROR and above  -> mail",
        "    + routes[2]  c.yaml:15:5  logger: app  -> console, file",
        "  reaches: mail, console, file",
        "1 test, 1 failed",
    ]


@pytest.mark.parametrize(
    ("record", "expect", "told"),
    [
        ("{}", "{}", "17:5: `expect`: the test expects nothing"),
        ("{logger: app}", "{includes: [mail]}", "`includes`: not all of them get the record"),
        ("{logger: app}", "{excludes: [file]}", "`excludes`: some of them get the record"),
        ("{logger: app}", "{dropped: true}", "`dropped`: the record is not dropped"),
        ("{level: 30}", "{dropped: true}", "no route wants it, so it is shown on stderr"),
        ("{level: 30}", "{dropped: false}", None),
        ("{}", "{dropped: false}", "`dropped`: the record is dropped"),
        ("{}", "{output: {mail: {}}}", "`output.mail`: `mail` does not get the record"),
        ("{logger: app}", "{output: {console: {contains: x}}}", "`console` writes nothing like"),
        ("{logger: app}", "{output: {console: {excludes: INFO}}}", "`console` writes it"),
        ("{logger: app}", "{output: {console: {matches: '^x'}}}", "`console` writes nothing like"),
        ("{logger: app}", "{output: {console: {matches: '('}}}", "not a regular expression"),
        ("{logger: app}", "{output: {console: {equals: x}}}", "give the record a `time`"),
        ("{time: 2026-02-30}", "{to: []}", "`record`: `2026-02-30` is no time"),
        ("{fields: {msg: x}}", "{to: []}", "the field `msg` is set by `message`"),
    ],
)
def test_each_key_can_fail(tmp_path, record, expect, told):
    """What does not hold is said in a sentence of its own."""
    code, out, _ = run(tmp_path, f"  - expect: {expect}\n    record: {record}\n")
    assert code == (1 if told else 0)
    assert told is None or told in out


def test_faults_of_the_file_are_those_of_check(tmp_path):
    """Misspelt keys, handlers and levels in a test are told with place and cure; exit 2."""
    code, out, _ = run(
        tmp_path,
        "  - record: {loger: app, level: EROR}\n"
        "    expect: {to: [consol], output: {fil: {equal: x}}}\n",
    )
    assert code == 2
    for word in ("logger", "ERROR", "console", "file", "equals"):
        assert f"did you mean `{word}`?" in out
    assert "c.yaml:18:37: error[LR201]: handler `fil` is not defined" in out
    assert out.endswith("0 tests, 0 failed, 1 file could not be used\n")


def test_nothing_to_run_is_no_success(tmp_path):
    """No tests, no such name and no file end with 2, and say what to do."""
    code, _, err = run(tmp_path, "  []\n")
    assert (code, "no tests in c.yaml; add `tests:`" in err) == (2, True)
    one = "  - {name: a b, record: {}, expect: {to: []}}\n"
    code, out, err = run(tmp_path, one, "-k", "zz")
    assert (code, out) == (2, "0 tests, 0 failed, 1 left out by -k\n")
    assert "none of the 1 test is named like that" in err
    (tmp_path / "empty").mkdir()
    code, _, err = logroute("test", cwd=tmp_path / "empty")
    assert (code, "name the config to test" in err) == (2, True)
    code, out, _ = logroute("test", "none.yaml", cwd=tmp_path)
    assert (code, "LR001" in out) == (2, True)


def test_keywords_choose_tests(tmp_path):
    """-k takes words, and, or, not and brackets; -v lists what ran and where it goes."""
    tests = "".join(
        f"  - {{name: {name}, record: {{logger: app}}, expect: {{includes: file}}}}\n"
        for name in ("pay now", "pay later", "ship now")
    )
    code, out, _ = run(tmp_path, tests, "-v", "-k", "pay and not later")
    assert code == 0
    assert out == "ok     c.yaml::pay now  -> console, file\n1 test, 0 failed, 2 left out by -k\n"


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("a", "a ab"),
        ("A B", "a b"),
        ("a or c", "a ab c"),
        ("not (a or c)", "b"),
        ("a and b", "ab"),
        ("not a and not b", "c"),
    ],
)
def test_expressions_mean_what_pytest_means(expression, chosen):
    """Words are looked for anywhere in the name, whatever their case."""
    selects = parse_keywords(expression)
    names = ["a", "ab", "b", "c"] if chosen != "a b" else ["a b", "a", "b a"]
    expected = ["a b"] if chosen == "a b" else chosen.split()
    assert [name for name in names if selects(name)] == expected


@pytest.mark.parametrize("expression", ["", "a and", "(a", "a)", "or a", "not", "a ( b )", "("])
def test_broken_expressions_are_refused(expression):
    """An expression that means nothing is an error, not an empty choice."""
    with pytest.raises(ValueError, match="-k: "):
        parse_keywords(expression)


def test_coverage_lists_what_is_not_reached(tmp_path):
    """Routes and handlers without a test are listed with their places; too little fails."""
    one = "  - {record: {logger: app}, expect: {includes: file}}\n"
    code, out, _ = run(tmp_path, one, "--coverage")
    assert (code, out.splitlines()) == (
        0,
        [
            "c.yaml: 50% covered (1 of 3 routes, 2 of 3 handlers)",
            "  c.yaml:13:5: no test takes the route `routes[0]`",
            "  c.yaml:14:5: no test takes the route `routes[1]`",
            "  c.yaml:9:3: no test reaches the handler `mail`",
            "1 test, 0 failed",
        ],
    )
    code, _, err = run(tmp_path, one, "--min-coverage", "80")
    assert (code, "less than 80% is covered" in err) == (1, True)


def test_json_report_follows_its_schema(tmp_path):
    """Passed, failed and impossible tests, coverage and faults are valid JSON."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    tests = (
        "  - {name: good, record: {logger: app}, expect: {includes: file}}\n"
        "  - name: bad\n"
        "    record: {logger: app}\n"
        "    expect: {to: mail, output: {console: {equals: x}}}\n"
        "  - {name: none, record: {fields: {msg: 1}}, expect: {to: mail}}\n"
    )
    code, out, _ = run(tmp_path, tests, "--format", "json", "--coverage")
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert (code, [test["outcome"] for test in document["tests"]]) == (
        1,
        ["passed", "failed", "failed"],
    )
    to, output = document["tests"][1]["failures"]
    assert (to["missing"], to["unexpected"]) == (["mail"], ["console", "file"])
    assert (output["key"], output["place"]["line"]) == ("output.console.equals", 20)
    code, out, _ = run(tmp_path, "  - {recrod: {}}\n", "--format", "json")
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert (code, document["complete"], document["diagnostics"][0]["code"]) == (2, False, "LR102")


def test_junit_report_is_sound_xml(tmp_path):
    """Counts, names and failures, whatever characters a test has in it."""
    tests = (
        '  - {name: "<&\\" ü", record: {logger: app}, expect: {includes: file}}\n'
        '  - {name: bad, record: {logger: app, message: "\\e]]>"}, expect: {to: mail}}\n'
    )
    code, out, _ = run(tmp_path, tests, "--format", "junit")
    (suite,) = ET.fromstring(out.encode())
    assert (code, suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        1,
        *("2", "1", "0"),
    )
    good, bad = suite
    assert (good.get("name"), len(good)) == ('<&" ü', 0)
    assert bad[0].get("message") == "c.yaml:18:67: the record goes elsewhere"
    code, out, _ = run(tmp_path, "  - {recrod: {}}\n", "--format", "junit")
    (suite,) = ET.fromstring(out)
    assert (code, suite.get("errors"), suite[0][0].tag) == (2, "1", "error")


def test_test_files_belong_to_their_config(tmp_path):
    """A test file has its config's name, or names it; all run with the config, once."""
    (tmp_path / "sub").mkdir()
    text = "tests: [{name: %s, record: {logger: app}, expect: {includes: file}}]\n"
    (tmp_path / "c.test.yaml").write_text(text % "by its name")
    (tmp_path / "other.test.yaml").write_text("config: ./c.yaml\n" + text % "by naming it")
    (tmp_path / "sub/deep.test.yml").write_text("config: ../c.yaml\n" + text % "from below")
    (tmp_path / "stranger.test.yaml").write_text("config: d.yaml\n" + text % "never")
    own = "  - {name: own, record: {logger: app}, expect: {includes: file}}\n"
    code, out, _ = run(tmp_path, own, "-v", "c.test.yaml")
    names = [line.split("  -> ")[0].split("::")[1] for line in out.splitlines()[:-1]]
    assert (code, names) == (0, ["own", "by its name", "by naming it"])
    (tmp_path / "stranger.test.yaml").unlink()
    code, out, _ = logroute("test", cwd=tmp_path)
    assert (code, out) == (0, "4 tests, 0 failed\n")
    code, out, _ = logroute("test", "-", stdin=(tmp_path / "c.yaml").read_bytes())
    assert (code, out) == (0, "1 test, 0 failed\n")


def test_profile_of_a_test_file_counts(tmp_path):
    """`profile` lays that profile over the config; without it --profile does."""
    config = CONFIG + "profiles: {quiet: {routes: [{to: mail}]}}\n"
    (tmp_path / "c.yaml").write_text(config)
    test = "tests: [{record: {logger: app}, expect: {to: mail}}]\n"
    (tmp_path / "c.test.yaml").write_text("profile: quiet\n" + test)
    assert logroute("test", "c.test.yaml", cwd=tmp_path)[0] == 0
    (tmp_path / "c.test.yaml").write_text(test)
    assert logroute("test", "c.test.yaml", cwd=tmp_path)[0] == 1
    assert logroute("test", "c.test.yaml", "--profile=quiet", cwd=tmp_path)[0] == 0


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("tets: []\n", "1:1", "unknown key `tets` in a test file"),
        ("config: x.yaml\ntests: []\n", "1:1", "cannot read `x.yaml`"),
        ("config: 3\ntests: []\n", "1:9", "`config` must be text"),
        ("config: c.yaml\n", "1:1", "needs the key `tests`"),
        ("tests: [{record: {}, expect: {to: [consol]}}]\n", "1:36", "`consol` is not defined"),
        ("tests: [{record: {}, expect: {t: []}}]\n", "1:31", "unknown key `t`"),
        ("- tests\n", "1:1", "must be a mapping"),
        ("tests: [\n", "2:1", "error[LR005]"),
    ],
)
def test_faults_of_a_test_file_have_places(tmp_path, text, place, told):
    """What is wrong with a test file is told in the test file."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "c.test.yaml").write_text(text)
    code, out, _ = logroute("test", "c.test.yaml", cwd=tmp_path)
    assert (code, f"c.test.yaml:{place}: error[" in out, told in out) == (2, True, True), out


def test_other_files_still_run(tmp_path):
    """A file that cannot be used makes exit 2; the others are run all the same."""
    (tmp_path / "bad.yaml").write_text("version: 1\nhandlers: {a: {type: nul}}\n")
    own = "  - {record: {logger: app}, expect: {includes: file}}\n"
    code, out, _ = run(tmp_path, own, "bad.yaml")
    assert (code, "did you mean `null`?" in out) == (2, True)
    assert out.endswith("1 test, 0 failed, 1 file could not be used\n")


def test_nothing_is_opened_or_imported(tmp_path):
    """No handler comes to life: no file appears, and code the file names is not imported."""
    config = CONFIG.replace("/nonexistent/app.log", str(tmp_path / "app.log"))
    config = config.replace(
        "root:",
        "  own: {(): trap.Handler}\n  old: {class: logging.FileHandler, filename: o.log}\nroot:",
    )
    config = config.replace("to: [console, file]", "to: [console, file, own, old]")
    (tmp_path / "trap.py").write_text("open('sprung', 'w')\n")
    tests = (
        "  - {record: {logger: app, message: hi}, expect: {output: {old: {equals: hi}}}}\n"
        "  - {record: {logger: app}, expect: {includes: own, output: {own: {}}}}\n"
    )
    code, out, _ = run(tmp_path, tests, config=config)
    assert (code, "only `trap.Handler` knows, which is not imported" in out) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "trap.py"]


def test_plain_dictconfig_files_can_be_tested(tmp_path):
    """An old file stays as it is; its tests stand beside it."""
    old = "version: 1\nodd: 1\nhandlers: {h: {class: logging.StreamHandler}}\n"
    (tmp_path / "o.yaml").write_text(old + "root: {level: INFO, handlers: [h]}\n")
    test = "tests: [{record: {message: hi}, expect: {to: h, output: {h: {equals: hi}}}}]\n"
    (tmp_path / "o.test.yaml").write_text(test)
    assert logroute("test", "o.yaml", cwd=tmp_path)[:2] == (0, "1 test, 0 failed\n")
