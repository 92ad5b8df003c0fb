"""Comments that take findings back, and LR098, which judges them."""

import pytest
from check_kit import GOOD, WARNED

IDLE = "  idle: {type: console}"


def commented(comment: str, above: str = "") -> str:
    return WARNED.replace(IDLE, f"{above}{IDLE}{comment}")


@pytest.mark.parametrize(
    "text",
    [
        commented("  # logroute: ignore[LR202] used soon"),
        commented("  #logroute:ignore[lr202]"),
        commented("  # logroute: ignore[unused-definition]"),
        commented("  # logroute: ignore[LR2]"),
        commented("  # TODO remove  # logroute: ignore[LR202]"),
        commented("", "  # logroute: ignore[LR202] used soon\n"),
        commented("", "# logroute: ignore[LR202]\n  # why: it is used soon\n"),
        "# logroute: ignore-file[LR202] generated\n" + WARNED,
        WARNED + "# logroute: ignore-file[unused-definition]",
        WARNED.replace("\n", "\r\n").replace(IDLE, IDLE + " # logroute: ignore[LR202]"),
    ],
)
def test_comment_takes_a_finding_back(check, text):
    """A comment on the line, on the line above or for the file counts; a reason is free."""
    check.write("a.yaml", text)
    result = check("a.yaml", "--strict")
    assert result.code == 0
    assert result.out.endswith("1 file, 0 errors, 0 warnings, 1 ignored by comment\n")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (commented("  # logroute: ignore[LR203]"), "4:45", "nothing to ignore: line 4 has no"),
        ("# logroute: ignore-file[LR4]\n" + WARNED, "1:25", "nothing to ignore: this file has no"),
        (commented("  # logroute: ignore"), "4:26", "the comment names no rule to ignore"),
        (commented("  # logroute: ignore[]"), "4:26", "the comment names no rule to ignore"),
        (commented("  # logroute: ignore[LR202"), "4:26", "the `[` of the comment is not closed"),
        (commented("  # logroute: ignore[LR999]"), "4:45", "no rule is called `LR999`"),
        (commented("  # logroute: noqa[LR202]"), "4:26", "`logroute: noqa` means nothing"),
        (commented("  # logroute: ingore[LR202]"), "4:26", "`logroute: ingore` means nothing"),
        (commented("\n\n# logroute: ignore[LR202]"), "6:20", "nothing to ignore: line 7"),
    ],
)
def test_comment_without_effect_is_found(check, text, place, message):
    """A comment that takes nothing back is a warning that says why; the finding stays."""
    check.write("a.yaml", text)
    result = check("a.yaml", "--format", "concise", "--max-problems", "0")
    lines = [line for line in result.out.splitlines() if "LR098" in line]
    assert [line.partition(": ")[0] for line in lines] == [f"a.yaml:{place}"]
    assert message in lines[0]
    assert "LR202" in result.codes


def test_one_of_several_codes_may_be_idle(check):
    """Of a comment with several codes, only the idle ones are told."""
    check.write("a.yaml", commented("  # logroute: ignore[LR202, LR3 secret-in-file] why"))
    result = check("a.yaml")
    assert result.codes == ["LR098"]
    assert "nothing to ignore: line 4 has no finding `LR3`, `secret-in-file`\n" in result.out
    assert "help: remove `LR3`, `secret-in-file`" in result.out


def test_errors_stay(check):
    """No comment takes an error back: the file would be refused all the same."""
    check.write("a.yaml", GOOD.replace("INFO}", "INGO}  # logroute: ignore[LR301]"))
    result = check("a.yaml")
    assert (result.code, result.codes) == (1, ["LR301", "LR098"])
    assert "no comment takes an error back, so LR301 (unknown-level) stays" in result.out


def test_severity_of_an_option_can_be_taken_back(check):
    """What only --severity makes an error, a comment can take back."""
    check.write("a.yaml", commented("  # logroute: ignore[LR202]"))
    assert check("a.yaml", "--severity", "LR202=error").code == 0


def test_reading_cannot_be_ignored(check):
    """Neither a missing include nor a syntax error is taken back."""
    check.write("a.yaml", "include: none.yaml  # logroute: ignore[LR001]\n" + GOOD)
    result = check("a.yaml")
    assert (result.code, result.codes) == (2, ["LR001", "LR098"])
    check.write("b.yaml", "# logroute: ignore-file[LR0]\na: [b\n")
    assert check("b.yaml").codes == ["LR005"]


def test_text_that_looks_like_a_comment_is_none(check):
    """Within quotes, a block of text or a word nothing is a comment."""
    texts = [
        'x-a: "# logroute: ignore-file[LR202]"',
        "x-a: '\n  # logroute: ignore-file[LR202]'",
        "x-a: |\n  # logroute: ignore-file[LR202]",
        "x-a: >-\n  x\n\n  # logroute: ignore-file[LR202]",
        "x-a: b#logroute:ignore-file[LR202]",
    ]
    for text in texts:
        check.write("a.yaml", f"{WARNED}{text}\n")
        assert check("a.yaml").codes == ["LR202"], text


def test_comment_behind_a_block_header_counts(check):
    """Behind `|` and below the block a comment is one."""
    for text in (
        "x-a: |  # logroute: ignore-file[LR202]\n  text\n",
        "x-a: |\n  text\n# logroute: ignore-file[LR202]\n",
    ):
        check.write("a.yaml", WARNED + text)
        assert check("a.yaml", "--strict").code == 0, text


TOML = """\
version = 1
x-a = '# logroute: ignore-file[LR202]'
x-b = \"""
# logroute: ignore-file[LR202]\"""
routes = [{to = ["out"]}]
root = {level = "INFO"}
[handlers]
out = {type = "console"}
idle = {type = "console"}
"""


def test_toml_has_comments_too(check):
    """A comment counts in TOML, a text does not; in JSON there is neither."""
    check.write("a.toml", TOML)
    assert check("a.toml").codes == ["LR202"]
    check.write(
        "a.toml",
        TOML.replace(
            'idle = {type = "console"}', "idle = {type = 'console'} # logroute: ignore[LR202]"
        ),
    )
    assert check("a.toml", "--strict").code == 0
    check.write("a.json", '{"version": 1, "x-a": "# logroute: ignore-file[LR101]"}')
    assert "LR098" not in check("a.json").codes


def test_comments_of_included_files_count(check):
    """A finding in an included file is taken back there; idle comments there are not told."""
    check.write(
        "base.yaml",
        "handlers:\n  out: {type: console}\n"
        "  idle: {type: console}  # logroute: ignore[LR202,LR301]\n",
    )
    check.write(
        "a.yaml", "version: 1\ninclude: base.yaml\nroot: {level: INFO}\nroutes: [{to: [out]}]\n"
    )
    assert check("a.yaml", "--strict").code == 0


def test_unused_is_told_only_where_all_was_looked_at(check):
    """What was not looked for, or shows under another profile, may be there."""
    check.write("a.yaml", commented("  # logroute: ignore[LR202,LR502]"))
    assert check("a.yaml").codes == []  # LR502 looks at the host
    check.write("b.yaml", commented("  # logroute: ignore[LR202,LR3]"))
    assert check("b.yaml", "--ignore", "LR301").codes == []
    profile = "profiles: {a: {}}\n"
    check.write("c.yaml", commented("  # logroute: ignore[LR202,LR3]") + profile)
    assert check("c.yaml").codes == []
    assert check("c.yaml", "--all-profiles").codes == ["LR098"]


def test_verdict_on_comments_can_be_turned_off(check):
    """LR098 obeys the options as any other code."""
    check.write("a.yaml", commented("  # logroute: ignore[LR202,LR3]"))
    assert check("a.yaml", "--strict", "--ignore", "unused-suppression").code == 0


def test_prose_is_left_alone(check):
    """A comment that mentions us is no comment to us."""
    check.write("a.yaml", "# logroute: see docs/config.md [here]\n# see logroute: ignored\n" + GOOD)
    assert check("a.yaml", "--strict", "-v").code == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (commented("  # logroute: ignore[LR3] why"), WARNED),
        (commented("", "  # logroute: ignore[LR3] why\n"), WARNED),
        (commented("  # a  # logroute: ignore[LR3]"), commented("  # a")),
        (
            commented("  # logroute: ignore[LR3,LR202] why"),
            commented("  # logroute: ignore[LR202] why"),
        ),
        (WARNED + "# logroute: ignore-file[LR3]", WARNED),
    ],
)
def test_idle_comment_is_removed(check, before, after):
    """--fix takes away what takes nothing back, and leaves the rest of the comment."""
    path = check.write("a.yaml", before)
    check("a.yaml", "--fix")
    assert path.read_text() == after
