"""`logroute explain`: every route, with match or the first condition that failed."""

import json

import jsonschema
from cli_kit import ROOT, logroute

SCHEMA = json.loads((ROOT / "schemas/explain.schema.json").read_text())

CONFIG = """version: 1
handlers:
  mail: {type: email, host: h.example, from: a@x.example, to: b@x.example}
  file: {type: file, path: app.log}
  big: {type: file, path: big.log, level: CRITICAL}
loggers: {app: DEBUG}
root: {level: INFO}
routes:
  - name: quiet
    match: {logger: app.health}
    to: []
    final: true
  - {match: {level: ERROR, fields: {tenant: 3}}, to: mail}
  - {to: [file, big]}
"""


def explain(tmp_path, *arguments):
    (tmp_path / "c.yaml").write_text(CONFIG)
    return logroute("explain", "c.yaml", *arguments, cwd=tmp_path)


def test_routes_are_shown_with_their_places(tmp_path):
    """Matching and failing routes are listed, then what is reached."""
    code, out, _ = explain(
        tmp_path, "--logger", "app.db", "--level", "error", "--field", "tenant=3"
    )
    assert code == 0
    assert out.splitlines() == [
        "record  app.db ERROR ''",
        "logger level DEBUG (from `app`, c.yaml:6:16)",
        "  - quiet      c.yaml:9:5  does not hold: logger: app.health",
        "  + routes[1]  c.yaml:13:5  level: ERROR and above; fields.tenant: 3  -> mail",
        "  + routes[2]  c.yaml:14:5  every record  -> file, big",
        "not reached: big, whose own level is CRITICAL",
        "reaches: mail, file",
    ]


def test_context_of_the_file_counts(tmp_path):
    """Fields that the file's context gives every record are there to match."""
    (tmp_path / "d.yaml").write_text(CONFIG + "context: {tenant: 3}\n")
    _, out, _ = logroute("explain", "d.yaml", "--level", "ERROR", cwd=tmp_path)
    assert out.endswith("reaches: mail, file\n")


def test_first_failing_condition_is_named(tmp_path):
    """A route that does not match says which condition failed."""
    _, out, _ = explain(tmp_path, "--level", "ERROR", "--field", "tenant=4")
    assert "does not hold: fields.tenant: 3" in out


def test_final_route_ends_the_list(tmp_path):
    """Routes after a final one that matched are not tried."""
    _, out, _ = explain(tmp_path, "--logger", "app.health.x", "--level", "ERROR")
    assert "nothing (silenced), final" in out
    assert out.count("not tried: quiet was final") == 2
    assert out.endswith("reaches: nothing\n")


def test_level_below_the_logger_reaches_nothing(tmp_path):
    """A record that its logger would not make reaches nothing."""
    _, out, _ = explain(tmp_path, "--logger", "web", "--level", "DEBUG")
    assert "no such record is ever made" in out
    assert out.endswith("reaches: nothing\n")


def test_faults_end_it(tmp_path):
    """A bad level or a bad file is told, with exit 2."""
    code, _, err = explain(tmp_path, "--level", "EROR")
    assert (code, "`EROR` is not a level name" in err) == (2, True)
    code, out, _ = logroute("explain", "none.yaml", cwd=tmp_path)
    assert (code, "LR001" in out) == (2, True)


OLD = """version: 1
filters: {only: {name: shop}, own: {(): shop.Own}}
formatters: {brief: {format: "%(levelname)s %(message)s"}}
handlers:
  console: {class: logging.StreamHandler, filters: [only], formatter: brief}
  file: {class: logging.FileHandler, filename: x.log, encoding: utf-8}
  other: {(): shop.Handler, filters: own}
loggers:
  shop.audit: {level: DEBUG, handlers: [file], propagate: no}
root: {level: INFO, handlers: [console, file, other]}
"""


def explain_old(tmp_path, *arguments):
    (tmp_path / "old.yaml").write_text(OLD)
    return logroute("explain", "old.yaml", *arguments, cwd=tmp_path)


def test_old_files_are_explained_with_filters(tmp_path):
    """A dictConfig file: handlers' filters count, and foreign ones leave a doubt."""
    _, out, _ = explain_old(tmp_path, "--logger", "web")
    assert out.splitlines() == [
        "record  web INFO ''",
        "logger level INFO (from `root`, old.yaml:10:15)",
        "  + root  old.yaml:10:31  every record  -> console, file, other",
        "not reached: console, whose filter `only` drops it",
        "perhaps not reached: other, since its filter `own` names code that is not imported",
        "reaches: file, other",
    ]


def test_propagation_ends_where_the_file_says(tmp_path):
    """A logger that does not propagate keeps its records from root."""
    _, out, _ = explain_old(tmp_path, "--logger", "shop.audit.x", "--level", "DEBUG")
    assert "  x `shop.audit` does not propagate, old.yaml:9:59: root" in out
    assert out.endswith("reaches: file\n")


def test_outputs_are_shown_without_imports(tmp_path):
    """--output prints what a formatter makes, and says what only an import could tell."""
    _, out, _ = explain_old(tmp_path, "--logger", "shop", "--message", "hi", "--output")
    assert "console writes: INFO hi\nfile writes: hi\n" in out
    assert "other: only `shop.Handler` knows, which is not imported" in out


def test_import_is_on_request(tmp_path):
    """--import brings a filter of the file to life; without it nothing is imported."""
    (tmp_path / "shop.py").write_text("class Own:\n    def filter(self, r): return r.x\n")
    here = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    (tmp_path / "old.yaml").write_text(OLD)
    arguments = ("explain", "old.yaml", "--field", "x=false", "--import")
    _, out, _ = logroute(*arguments, cwd=tmp_path, environment=here)
    assert "not reached: other, whose filter `own` drops it\nreaches: file\n" in out
    (tmp_path / "shop.py").unlink()
    code, _, err = logroute(*arguments, cwd=tmp_path, environment={"PYTHONPATH": str(ROOT)})
    assert (code, "filter `own` cannot be built" in err) == (2, True)


def test_handler_is_given_a_record_once(tmp_path):
    """A later route says which of its handlers have the record already."""
    text = CONFIG + "  - {to: [file, mail]}\n"
    (tmp_path / "c.yaml").write_text(text)
    _, out, _ = logroute("explain", "c.yaml", "--level", "error", "--field=tenant=3", cwd=tmp_path)
    assert "-> nothing more (file, mail have it already)" in out


def test_unmatched_record_may_show_on_stderr(tmp_path):
    """What no route wants is shown from WARNING on, unless the file says otherwise."""
    text = CONFIG.replace("  - {to: [file, big]}\n", "")
    (tmp_path / "c.yaml").write_text(text)
    _, out, _ = logroute("explain", "c.yaml", "--level", "warning", cwd=tmp_path)
    assert "no route wants it; WARNING and above then goes to stderr" in out
    (tmp_path / "c.yaml").write_text(text + "unmatched: [big]\n")
    _, out, _ = logroute("explain", "c.yaml", "--level", "critical", cwd=tmp_path)
    assert out.endswith("no route wants it; unmatched: big\nreaches: big\n")


def test_verify_compares_handlers(tmp_path):
    """--verify ends with 1 and the difference where others get the record."""
    code, out, _ = explain(tmp_path, "--verify", "file")
    assert (code, out.endswith("reaches: file\nverified\n")) == (0, True)
    code, out, _ = explain(tmp_path, "--verify", "mail, big")
    assert code == 1
    assert out.endswith("expected: mail, big\nmissing: mail, big\nunexpected: file\n")
    code, _, err = explain(tmp_path, "--verify", "mial")
    assert (code, "did you mean `mail`?" in err) == (2, True)


def test_repeated_route_names_keep_their_places(tmp_path):
    """Two routes of one name, or one called as a logger is, have each its own place."""
    text = CONFIG.replace("name: quiet", "name: root") + "  - {name: root, to: mail}\n"
    (tmp_path / "c.yaml").write_text(text)
    _, out, _ = logroute("explain", "c.yaml", cwd=tmp_path)
    assert "- root       c.yaml:9:5" in out
    assert "+ root       c.yaml:15:5" in out


def test_json_follows_its_schema(tmp_path):
    """--format json is valid by the schema, and tells what the text tells."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    _, out, _ = explain(tmp_path, "--level", "CRITICAL", "--format", "json", "--verify=big,file")
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert (document["reaches"], document["verify"]["ok"]) == (["file", "big"], True)
    assert document["routes"][2]["place"] == {"file": "c.yaml", "line": 14, "column": 5}
    _, out, _ = explain_old(tmp_path, "--format", "json", "--output")
    jsonschema.validate(json.loads(out), SCHEMA)


def test_records_are_described_by_options(tmp_path):
    """Exception, thread, time and message make the record; a wrong one is told."""
    _, out, _ = explain(
        tmp_path,
        *("--exception", "KeyError: tenant", "--thread", "T1", "--message", "lost", "--output"),
        *("--time", "2026-05-01 12:00:00"),
    )
    assert out.startswith("record  root INFO 'lost', exception KeyError\n")
    assert "file writes: 2026-05-01 12:00:00,000 INFO     root: lost\nKeyError: 'tenant'" in out
    for wrong, told in (
        (("--field", "levelno=3"), "the field `levelno` is set by `level`"),
        (("--field", "x"), "--field needs KEY=VALUE"),
        (("--time", "2026-02-30"), "is no time"),
    ):
        code, _, err = explain(tmp_path, *wrong)
        assert (code, told in err) == (2, True)
