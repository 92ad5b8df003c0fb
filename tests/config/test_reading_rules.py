"""What is found while a text is read: characters that do not show, `#` in secrets, the cures."""

import os

import pytest

from logroute.config.load import load
from logroute.config.parse import parse
from logroute.config.source import from_text, read_path
from logroute.diagnostics import Severity

GOOD = (
    "version: 1\nhandlers:\n  console: {type: console}\nroot: {level: INFO, handlers: [console]}\n"
)


def found_in(text, syntax="yaml"):
    return parse(from_text(text, syntax=syntax))[1]


def codes(found):
    return [item.code for item in found]


@pytest.mark.parametrize(
    ("char", "place"),
    [
        ("\u200b", "3:6"),
        ("\u00ad", "3:6"),
        ("\ufeff", "3:6"),
        ("\u202e", "3:6"),
        ("\u2066", "3:6"),
        ("\u200d", "3:6"),
    ],
)
def test_character_that_does_not_show_is_found(char, place):
    """In a name it makes another name of it; the finding stands at the character."""
    text = GOOD.replace("  console", f"  con{char}sole")
    found = found_in(text)
    assert codes(found) == ["LR011"] and found[0].severity is Severity.WARNING
    assert f"{found[0].span.line}:{found[0].span.column}" == place
    assert f"U+{ord(char):04X}" in found[0].message and char not in found[0].message


@pytest.mark.parametrize(
    "text",
    [
        'context: {family: "👨\u200d👩\u200d👧", flag: "🏳\ufe0f\u200d🌈"}',
        "context: {persian: نمی\u200cشود}",
        "context: {city: Zürich, sign: →, wide: 　x}",
        'context: {escape: "\\u200b \\u202e"}',
        "context: {hebrew: שלום\u200f}  # עברית\u200f",
    ],
)
def test_letters_of_other_scripts_are_silent(text):
    """What joins letters or emoji, and what is written as an escape, is no oddity."""
    assert found_in(f"version: 1\n{text}\n") == []


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
def test_line_end_that_editors_do_not_show_is_found(char):
    """YAML ends a comment there, so that the rest of the line counts."""
    found = found_in(f"version: 1\n# quiet{char}shutdown_timeout: 5\n")
    assert codes(found) == ["LR011"] and found[0].span.line == 2
    assert found_in(f'{{"version": 1, "x-a": "b{char}c"}}', "json") == []


def test_lone_carriage_return_is_found():
    """Windows line ends are fine, a carriage return alone is not."""
    assert found_in(GOOD.replace("\n", "\r\n")) == []
    assert codes(found_in(GOOD.replace("\n", "\r", 1))) == ["LR011"]


def test_oddities_of_included_files_are_found(tmp_path):
    """An included text is looked at like the first one, and named."""
    (tmp_path / "parts.yaml").write_text("handlers: {con\u200bsole: {type: console}}\n")
    (tmp_path / "main.yaml").write_text("version: 1\ninclude: [parts.yaml]\n")
    found = load(str(tmp_path / "main.yaml"), advise=True).diagnostics
    odd = [item for item in found if item.code == "LR011"]
    assert [os.path.basename(item.span.file) for item in odd] == ["parts.yaml"]


def test_oddities_are_told_once():
    """A character that an error already names is not told again."""
    text = GOOD.replace("type: console", "type: con\u200bsole")
    assert codes(load(text, advise=True).diagnostics) == ["LR105"]


def test_oddities_are_bounded():
    """A text full of them gets a few findings."""
    assert len(found_in("version: 1\n# " + "a\u200b" * 100_000 + "\n")) == 20


SECRET = "version: 1\nhandlers:\n  mail:\n    type: email\n    {}\n    host: x\n"


@pytest.mark.parametrize(
    "line",
    [
        "password: ab #cd",
        "password: #abcd",
        "password:   ab  #cd-$x!",
        "api_key: 12345 #6",
        "auth: {x: 1}\n    client_secret: ab #cd",
    ],
)
def test_secret_that_ends_at_a_hash_is_found(line):
    """A word directly behind the `#` was likely part of the secret, which stays out of sight."""
    found = [item for item in found_in(SECRET.format(line)) if item.code == "LR012"]
    assert len(found) == 1
    assert "ab" not in found[0].message.replace("`", "") and "cd" not in str(found[0])


@pytest.mark.parametrize(
    "line",
    [
        "password: ab # cd",
        "password: ab#cd",
        'password: "ab #cd"',
        'password: "ab" #cd',
        "password: ab #nosec",
        "password: ab #TODO",
        "password: ${PW} #prod",
        "password: ab #see the vault",
        "password: ab ##########",
        "username: ab #cd",
        "host: a #b",
        "password: # from vault",
        "# password: ab #cd",
    ],
)
def test_other_comments_are_comments(line):
    """With a space, behind quotes, of several words, at other keys: nobody is warned."""
    assert "LR012" not in codes(found_in(SECRET.format(line)))


def test_alias_of_a_secret_is_told_once():
    """However many aliases a mapping has, its lines are looked at once."""
    text = "version: 1\nx-a: &a {password: ab }\nx-b: &b\n  token: ab #cd\nx-c: [*b, *b, *a]\n"
    assert codes(found_in(text)) == ["LR012"]


BROKEN = {
    "LR002": "version: 1\nx-a: \x01\n",
    "LR003": "# nothing\n",
    "LR004": "x: " + "[" * 70,
    "LR005": "a: [1\n",
    "LR006": "a: 1\na: 2\n",
    "LR007": "a: !!int x\n",
    "LR008": "a: 1\n---\nb: 2\n",
    "LR009": "a: &a [*a]\n",
}


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_broken_text_has_a_cure(code):
    """Each finding says what to do."""
    found = [item for item in found_in(BROKEN[code]) if item.code == code]
    assert found and all(item.help for item in found)


JSON_TEXTS = [
    '{"a" 1}',
    '{"a": 1} x',
    '{"a": ?}',
    '{"a": 1 "b": 2}',
    '{"a": "\\ud800"}',
    "{'a': 1}",
]


@pytest.mark.parametrize("text", JSON_TEXTS)
def test_broken_json_has_a_cure(text):
    """Each fault of JSON says what to do."""
    assert all(item.help for item in found_in(text, "json"))


def test_unreadable_files_have_a_cure(tmp_path):
    """Whatever keeps a file from being read, the finding says what to see to."""
    (tmp_path / "odd.yaml").write_bytes(b"\x00\x01\x02")
    for name in ("none.yaml", "", "odd.yaml", "x" * 300, "a\0b"):
        source, found = read_path(os.path.join(str(tmp_path), name))
        assert source is None and found[0].help


def test_missing_include_is_named_as_written(tmp_path, monkeypatch):
    """Messages show paths as the user wrote them, not where the machine has them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handlers.yaml").write_text("handlers: {}\n")
    (tmp_path / "main.yaml").write_text("version: 1\ninclude: [handlrs.yaml]\n")
    found = load("main.yaml", advise=True).diagnostics
    assert [(item.code, item.help) for item in found] == [
        ("LR001", "did you mean `handlers.yaml`?")
    ]
    assert str(tmp_path) not in found[0].message
