"""`logroute explain`: every route, with match or the first condition that failed."""

from cli_kit import logroute

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
