"""`logroute demo`, as the README tells people to run it."""

from cli_kit import logroute


def test_demo_agrees_with_its_routes():
    """Every record arrives where the routes promise, and the ledger adds up."""
    code, out, err = logroute("demo", "--records", "5")
    assert (code, err) == (0, "")
    assert "everything arrived as the routes promise" in out
    assert "log-file   file   10 of 10" in out
    assert max(map(len, out.splitlines())) <= 80  # as wide as a terminal


def test_demo_notices_what_is_missing(tmp_path):
    """A config that filters behind the routes' back is told apart."""
    (tmp_path / "c.yaml").write_text(
        "version: 1\nfilters: {none: {type: sample, rate: 0, keep_level: CRITICAL}}\n"
        "handlers:\n  log-file: {type: file, path: '${DEMO_DIR:-.}/demo.log', filters: [none]}\n"
        "root: {level: DEBUG}\nroutes: [{to: log-file}]\n"
    )
    code, out, _ = logroute("demo", "--records", "2", "--config", tmp_path / "c.yaml")
    assert code == 1
    assert "DIFFERENT" in out
