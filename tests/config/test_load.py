"""Loading: from a source to a config, or to everything that is wrong with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from logroute.config.load import Loaded, load
from logroute.config.source import from_text
from logroute.diagnostics import Diagnostic, Severity

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
REAL = sorted(CORPUS.glob("yaml/*.yaml")) + sorted(CORPUS.glob("json/*.json"))
GOOD = """
version: 1
handlers:
  console: {type: console}
  mail: {type: email, host: mx, port: "${PORT:-25}", from: a@b.c, to: d@e.f, password: "${PW}"}
routes:
  - {match: {level: ERROR}, to: mail}
  - {to: console}
"""


def read(text: str, **options: object) -> Loaded:
    return load(text, **{"environ": {"PW": "hunter2"}, "advise": True, **options})  # type: ignore[arg-type]


def told(diagnostics: tuple[Diagnostic, ...]) -> str:
    """Return findings as the fixtures show them, but for remarks."""
    lines = []
    for item in diagnostics:
        if item.severity is Severity.INFO:
            continue
        lines.append(str(item))
        lines += [f"    {span}: {label}" for label, span in item.related]
    return "".join(f"{line}\n" for line in lines)


def in_fresh_python(code: str, **environ: str) -> str:
    """Return what `code` prints in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_good_config_is_returned() -> None:
    """A config without errors comes with its tree and its source."""
    loaded = read(GOOD)
    assert loaded.config is not None and loaded.diagnostics == ()
    assert loaded.node is not None and loaded.source is not None
    assert loaded.config.handlers["mail"].sink.port == 25  # type: ignore[union-attr]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_config_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bad config gives exactly the findings written beside it."""
    monkeypatch.chdir(path.parent)
    loaded = load(path.name, environ={}, read_secrets=False, advise=True)
    assert told(loaded.diagnostics) == path.with_suffix(".txt").read_text()
    errors = [item for item in loaded.diagnostics if item.severity is Severity.ERROR]
    assert (loaded.config is None) is bool(errors)


def test_every_shape_code_has_a_bad_config() -> None:
    """The fixtures show every code that this room gives."""
    shown = set(re.findall(r"LR\d{3}", "".join(p.with_suffix(".txt").read_text() for p in BAD)))
    assert {f"LR10{digit}" for digit in "12345678"} <= shown
    rest = {
        "LR010",
        "LR611",
        "LR704",
        "LR201",
        "LR202",
        "LR301",
        "LR302",
        "LR303",
        "LR403",
        "LR405",
    }
    assert rest | {"LR901", "LR902"} <= shown


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_config_gets_an_answer(path: Path) -> None:
    """What stdlib loads has no errors here."""
    loaded = load(path, environ={}, read_secrets=False, advise=True)
    row = re.search(
        rf"^\| {path.parent.name}/{path.name} \|.*\| (.*?) \|$",
        (CORPUS / "README.md").read_text(),
        re.MULTILINE,
    )
    errors = {item.code for item in loaded.diagnostics if item.severity is Severity.ERROR}
    assert row is not None
    if row[1] == "ok":
        assert errors == set()


def test_all_stages_report_together() -> None:
    """Faults of keys, variables, shape and meaning come in one run, in file order."""
    loaded = read(
        "version: 1\nhandlers:\n  a: {type: consol, type: x}\n  b: {type: file, path: '${NO}'}\n"
        "routes:\n  - {match: {level: LOUD}, to: [a, b, c]}\n"
    )
    codes = [item.code for item in loaded.diagnostics]
    assert codes == ["LR006", "LR105", "LR203", "LR301", "LR201"]
    assert loaded.config is None and loaded.node is not None


def test_stdlib_file_may_repeat_keys_and_keep_placeholders() -> None:
    """In a plain dictConfig file both are warnings, and mean what they always meant."""
    loaded = read(
        "version: 1\nhandlers:\n  a: {class: logging.FileHandler, filename: '${APP_LOG}'}\n"
        "root: {handlers: [a], level: DEBUG}\nroot: {handlers: [a], level: ERROR}\n"
    )
    told = [item.code for item in loaded.diagnostics if item.severity is not Severity.INFO]
    assert told == ["LR203", "LR006"]
    assert loaded.config is not None
    assert loaded.config.root.level == "ERROR"
    assert loaded.config.handlers["a"].sink.entry["filename"] == "${APP_LOG}"


def test_section_written_twice_silences_names() -> None:
    """Names that the second of two sections may define are not called undefined."""
    loaded = read("version: 1\nhandlers: {}\nhandlers: {a: {type: console}}\nroutes: [{to: a}]\n")
    assert [item.code for item in loaded.diagnostics] == ["LR006"]


def test_unparsable_text_is_one_finding() -> None:
    """Where the text cannot be read, nothing else is said."""
    loaded = read("version: 1\nhandlers: [\n")
    assert [item.code for item in loaded.diagnostics] == ["LR005"]
    assert loaded.node is None and loaded.source is not None


def test_missing_file_is_one_finding(tmp_path: Path) -> None:
    """A file that is not there has no source either."""
    loaded = load(tmp_path / "none.yaml")
    assert [item.code for item in loaded.diagnostics] == ["LR001"]
    assert loaded.source is None


def test_source_may_be_given_ready() -> None:
    """What was read before, such as standard input, is taken as it is."""
    loaded = load(from_text("version: 2\n", name="<stdin>"))
    assert [str(item.span) for item in loaded.diagnostics] == ["<stdin>:1:10"]


def test_secrets_stay_out_of_messages() -> None:
    """A secret is shown nowhere, whatever is wrong with it."""
    text = """
version: 1
formatters: {f: {format: "${PASSWORD}"}}
handlers:
  a: {type: email, host: "${PASSWORD} x", port: "${PASSWORD}", level: "${PASSWORD}"}
  b: {type: file, formatter: "${PASSWORD}", passwrd: hunter2, mode: "${PASSWORD}"}
  c: {type: "${PASSWORD}", password: [hunter2]}
routes:
  - {match: {level: "${PASSWORD}", message: "(${PASSWORD}"}, to: ["${PASSWORD}", b, c]}
loggers: {l: {handlers: a, propagate: "x${PASSWORD}"}}
"""
    loaded = load(text, environ={"PASSWORD": "hunter2"}, advise=True)
    codes = {item.code for item in loaded.diagnostics}
    assert codes >= {"LR101", "LR103", "LR105", "LR201", "LR301", "LR403", "LR405", "LR902"}
    assert "hunter2" not in told(loaded.diagnostics)


def test_variable_of_wrong_type_is_told() -> None:
    """The text of a variable is judged by what is wanted in its place."""
    loaded = load(GOOD, environ={"PW": "x", "PORT": "99999"})
    assert [item.code for item in loaded.diagnostics] == ["LR104"]
    loaded = load(GOOD, environ={"PW": "x", "PORT": "mail"})
    assert [item.code for item in loaded.diagnostics] == ["LR103"]


def test_unread_secret_is_no_fault() -> None:
    """`check` accepts what it does not read, beside other faults too."""
    text = GOOD.replace('"${PORT:-25}"', '"${file:/nowhere}"')
    assert read(text, read_secrets=False).diagnostics == ()
    codes = [item.code for item in read(text + "odd: 1\n", read_secrets=False).diagnostics]
    assert codes == ["LR101"]


def test_long_values_are_cut() -> None:
    """A message stays readable, however long the value is."""
    loaded = read(f"version: 1\nhandlers: {{a: {'x' * 5000}}}\nroutes: [{{to: a}}]\n")
    assert len(loaded.diagnostics) == 1
    assert len(loaded.diagnostics[0].message) < 200


def test_findings_are_bounded() -> None:
    """A broken generator gets a thousand findings, not a hundred thousand."""
    loaded = read("version: 1\nroutes: [" + "{to: 5, odd: x}, " * 5000 + "]\n")
    assert len(loaded.diagnostics) == 1000
    assert loaded.config is None


def test_patterns_are_bounded() -> None:
    """Patterns that would take seconds to compile are refused uncompiled."""
    pattern = "(a|b)*" * 10_000
    loaded = read(f"version: 1\nroutes: [{{match: {{message: '{pattern}'}}, final: true}}, {{}}]\n")
    assert [item.code for item in loaded.diagnostics] == ["LR403"]


def test_decoding_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decoding refuses is told even if the schema finds nothing."""
    monkeypatch.setattr("logroute.config.schema.diagnose", lambda *_: [])
    text = "version: 1\nhandlers: {a: {type: file, pth: x}}\nroutes: [{to: a}]\n"
    assert [str(item) for item in read(text).diagnostics] == [
        "<text>:2:12: error[LR102]: handler `a` needs the key `path`",
        "<text>:2:28: error[LR101]: unknown key `pth` in handler `a`",
    ]


def test_good_config_needs_no_jsonschema() -> None:
    """The fast line imports nothing heavy."""
    code = (
        "import sys; from logroute.config.load import load\n"
        f"assert load({GOOD!r}, environ={{'PW': 'x'}}).config\n"
        "heavy = ['jsonschema', 'ssl', 'http.client', 'urllib3', 'smtplib', 'asyncio',"
        " 'dataclasses', 'inspect', 'importlib.metadata', 'logging.config', 'logging.handlers']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert in_fresh_python(code) == "[]\n"


def test_output_does_not_depend_on_hashes() -> None:
    """The same file has the same findings in the same order in every process."""
    names = ["everything-at-once", "lr103-wrong-type", "lr202-unused-definition"]
    texts = [path.read_text() for path in BAD if path.stem in names]
    code = (
        "from logroute.config.load import load\n"
        f"for text in {texts!r}:\n    print(*load(text, environ={{}}).diagnostics, sep='\\n')"
    )
    outputs = {in_fresh_python(code, PYTHONHASHSEED=seed) for seed in "012"}
    assert len(outputs) == 1 and len(outputs.pop().splitlines()) > 20
