"""`logroute check --fix` and `--diff` as a person meets them."""

import os
import stat

import pytest
from cli_kit import logroute

from logroute.cli.fixes.overwrite import CannotWriteError, overwrite

BAD = """\
# our logs
version: 1
handlers:
  console: {type: console, levl: info}  # short
  mail:
    type: smtp
    host: smtp.example.org
    security: starttls
    username: app
    pasword: hunter2
    from: app@example.org
    to: ops@example.org
root: {level: INFO, handlers: [console, mail]}
"""
MENDED = (
    BAD.replace("levl", "level").replace("type: smtp", "type: email").replace("pasword", "password")
)


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "logging.yaml"
    path.write_text(BAD)
    return path


def test_file_is_fixed_in_place(bad, tmp_path):
    """Misspelt words are corrected, comments stay, and a second run has nothing to do."""
    code, out, err = logroute("check", "--fix", "logging.yaml", cwd=tmp_path)
    assert bad.read_text() == MENDED
    assert err == "fixed 3 problems in logging.yaml; 1 more with --unsafe-fixes\n"
    assert code == 0 and "0 errors" in out
    state = bad.stat()
    err = logroute("check", "--fix", "logging.yaml", cwd=tmp_path)[2]
    assert err == "fixed no problems in logging.yaml; 1 with --unsafe-fixes\n"
    assert bad.stat().st_mtime_ns == state.st_mtime_ns


def test_diff_shows_and_writes_nothing(bad, tmp_path):
    """A diff says what would change, ends with 1, and leaves the file as it is."""
    code, out, err = logroute("check", "--diff", "logging.yaml", cwd=tmp_path)
    assert code == 1 and bad.read_text() == BAD
    lines = out.splitlines()
    assert lines[:2] == ["--- logging.yaml", "+++ logging.yaml"]
    assert "-    type: smtp" in lines and "+    type: email" in lines
    assert err.startswith("would fix 3 problems in logging.yaml; 1 more")
    bad.write_text(MENDED)
    assert logroute("check", "--diff", "logging.yaml", cwd=tmp_path)[:2] == (0, "")


def test_diff_shows_no_secret(bad, tmp_path):
    """A secret in a changed line is veiled, one beside a change is left out."""
    _, out, err = logroute("check", "--diff", "logging.yaml", cwd=tmp_path)
    assert "hunter2" not in out + err
    assert "-    pasword: ********" in out and "secrets show as" in err
    bad.write_text(MENDED.replace("app@example.org\n", "app@example.org\n    lvl: ERROR\n"))
    _, out, err = logroute("check", "--diff", "logging.yaml", cwd=tmp_path)
    assert "hunter2" not in out and "********" not in out and "secrets" not in err


@pytest.mark.parametrize(
    "secret",
    [
        'password: "hunter2"',
        "password: |\n      hunter2\n      hunter2b",
        "password: hunter2\n      hunter2b",
        "headers: {X-Key: hunter2}",
        'url: "https://app:hunter2@example.org/"',
        "auth: {bearer:hunter2}",
        "# password = hunter2",
    ],
)
def test_no_spelling_of_a_secret_shows(tmp_path, secret):
    """Whatever way a secret is written, a change of a line beside it does not show it."""
    text = f"version: 1\nhandlers:\n  web:\n    type: webhook\n    {secret}\n    lvl: INFO\n"
    (tmp_path / "a.yaml").write_text(text)
    _, out, err = logroute("check", "--diff", "a.yaml", cwd=tmp_path)
    assert "+    level: INFO" in out
    assert "hunter2" not in out + err


def applied(text, patch):
    """Return `text` after a unified diff, each line of it compared."""
    lines, made, at = text.splitlines(keepends=True), [], 0
    body = [line + "\n" for line in patch.split("\n")[2:-1]]
    for line in body:
        if line.startswith("@@"):
            old = line.split()[1][1:]
            start, _, count = old.partition(",")
            low = int(start) - (count != "0")
            made += lines[at:low]
            at = low
        elif line[0] in " -":
            assert lines[at] == line[1:]
            at += 1
        if line[0] in " +":
            made.append(line[1:])
    return "".join(made + lines[at:])


def test_diff_is_a_patch(tmp_path):
    """Without a secret in a changed line the diff makes the old text the fixed one."""
    many = "".join(
        f"  h{i}: {{type: console, {'lvl' if i % 9 == 4 else 'level'}: INFO}}\n" for i in range(40)
    )
    last = "  h: {type: file, path: a, password: hunter2}\n  z: {type: console, lvl: INFO}\n"
    text = f"version: 1\nhandlers:\n{many}{last}"
    (tmp_path / "a.yaml").write_text(text)
    _, out, _ = logroute("check", "--diff", "a.yaml", cwd=tmp_path)
    fixed = text.replace("lvl", "level")
    assert "hunter2" not in out and applied(text, out) == fixed


def test_stdin_is_fixed_to_stdout():
    """The fixed text goes to standard output alone, the report to standard error."""
    code, out, err = logroute("check", "--fix", "-", stdin=BAD.encode())
    assert (code, out) == (0, MENDED)
    assert "fixed 3 problems in <stdin>" in err and "1 file" in err
    code, out, _ = logroute("check", "--fix", "-", stdin=b"version: [1\n")
    assert (code, out) == (1, "version: [1\n")
    text = b'{"version": "1", "root": {"level": "INFO"}}'
    _, out, _ = logroute("check", "--fix", "-", "--stdin-filename", "a.json", stdin=text)
    assert out == '{"version": 1, "root": {"level": "INFO"}}'


def test_line_ends_and_mark_are_kept(tmp_path):
    """A byte order mark, CRLF and a missing last line end stay as they are."""
    path = tmp_path / "a.yaml"
    text = b"\xef\xbb\xbfversion: 1\r\nhandlers: {a: {type: console, levl: INFO}}\r\n# end"
    path.write_bytes(text)
    logroute("check", "--fix", "a.yaml", cwd=tmp_path)
    assert path.read_bytes() == text.replace(b"levl", b"level")


def test_mode_and_link_are_kept(bad, tmp_path):
    """A link stays a link, and what it points to keeps its mode."""
    bad.chmod(0o640)
    link = tmp_path / "current.yaml"
    link.symlink_to(bad)
    logroute("check", "--fix", "current.yaml", cwd=tmp_path)
    assert link.is_symlink() and bad.read_text() == MENDED
    assert stat.S_IMODE(bad.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["current.yaml", "logging.yaml"]


def test_file_changed_meanwhile_is_left(bad):
    """What somebody else wrote in between is not written over."""
    bad.write_text("version: 1\n")
    with pytest.raises(CannotWriteError, match="changed meanwhile"):
        overwrite(str(bad), BAD.encode(), MENDED.encode())
    assert bad.read_text() == "version: 1\n"
    assert os.listdir(bad.parent) == ["logging.yaml"]


def test_file_that_cannot_be_written_is_told(tmp_path, monkeypatch, bad):
    """A file that cannot be replaced stays, and the reason is given."""

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(CannotWriteError, match="no space left"):
        overwrite(str(bad), BAD.encode(), MENDED.encode())
    assert bad.read_text() == BAD and os.listdir(tmp_path) == ["logging.yaml"]


def test_unsafe_fixes_are_asked_for(tmp_path):
    """What may change where records go is announced, and done on request."""
    path = tmp_path / "a.yaml"
    text = (
        "version: 1\nhandlers: {c: {class: logging.StreamHandler, formatter: f}}\n"
        'formatters: {f: {format: "%(asctime)s %(message)s"}}\n'
        "loggers:\n  app: {level: INFO, handlers: [c], propagate: 'no'}\n"
        "root: {level: INFO, handlers: [c]}\ndisable_existing_loggers: false\n"
    )
    path.write_text(text)
    _, _, err = logroute("check", "--fix", "--select", "LR902", "a.yaml", cwd=tmp_path)
    assert (
        err == "fixed no problems in a.yaml; 1 with --unsafe-fixes\n" and path.read_text() == text
    )
    logroute("check", "--fix", "--unsafe-fixes", "--select", "LR902", "a.yaml", cwd=tmp_path)
    assert path.read_text() == text.replace("'no'", "false")


def test_selection_limits_fixes(bad, tmp_path):
    """Only what is looked for is fixed."""
    logroute("check", "--fix", "--select", "LR105", "logging.yaml", cwd=tmp_path)
    assert bad.read_text() == BAD.replace("type: smtp", "type: email")


def test_included_file_is_fixed_only_by_itself(tmp_path):
    """What a file includes is not changed through it, but is when it is named."""
    (tmp_path / "base.yaml").write_text("handlers: {c: {type: console, levl: INFO}}\n")
    main = "version: 1\ninclude: base.yaml\nroot: {level: INFO, handlers: [c]}\n"
    (tmp_path / "main.yaml").write_text(main)
    _, _, err = logroute("check", "--fix", "main.yaml", cwd=tmp_path)
    wanted = "fixed no problems in main.yaml; 1 in included files, which are fixed by themselves\n"
    assert err == wanted
    assert "levl" in (tmp_path / "base.yaml").read_text()
    logroute("check", "--fix", "base.yaml", cwd=tmp_path)
    assert "level" in (tmp_path / "base.yaml").read_text()
    assert logroute("check", "main.yaml", cwd=tmp_path)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [("--unsafe-fixes", "a.yaml"), ("--fix", "--watch", "a.yaml"), ("--fix", "-", "a.yaml")],
)
def test_options_that_do_not_go_together_are_told(tmp_path, arguments):
    """A command line that makes no sense ends with 2 and says why."""
    code, out, err = logroute("check", *arguments, cwd=tmp_path)
    assert (code, out) == (2, "") and err.startswith("logroute check: --")


def test_missing_file_ends_with_two(bad, tmp_path):
    """What cannot be read makes exit code 2, yet the others are fixed."""
    assert logroute("check", "--fix", "nope.yaml", "logging.yaml", cwd=tmp_path)[0] == 2
    assert bad.read_text() == MENDED
    assert logroute("check", "--diff", "nope.yaml", "logging.yaml", cwd=tmp_path)[0] == 2
