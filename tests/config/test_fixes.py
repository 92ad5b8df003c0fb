"""Fixes: what a rule may ask for, and what becomes of the text."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rule_fixtures import FIXTURES, file_of

from logroute.cli.fixes.rounds import Task, fix_source
from logroute.config.edits import apply
from logroute.config.load import load
from logroute.config.parse import parse
from logroute.config.source import Source, read_path
from logroute.config.views import fixes
from logroute.diagnostics import Diagnostic, Edit, Fix, Severity, Span, error

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "sample-configs").glob("*.yaml"))
BAD = sorted((ROOT / "tests" / "config" / "bad").glob("*.yaml"))


#: What the suggested variables of the fixtures stand for.
VARIABLES = dict.fromkeys(("CLIENT_PEM",), "/etc/ssl/client.pem")


def checked(source, profile=None, *, advise=True):
    return load(source, profile=profile, read_secrets=False, advise=advise, environ=VARIABLES)


class Text:
    """A text with its tree, as the functions of fixes want it."""

    def __init__(self, text, name="a.yaml"):
        syntax = "json" if name.endswith(".json") else "yaml"
        self.source = Source(name, text, syntax)
        self.node, _ = parse(self.source)

    def after(self, *made):
        changed = apply(self.source, list(made))
        return None if changed is None else changed.source.text


BLOCK = """\
# top
version: 1
handlers:
  a: {type: email, port: "25", to: [x, y, z]}  # mail
  # about b
  b:
    type: file   # kind
    path: 'off'
  c:
    type: console
routes:
  - match: {level: ERROR}
    to: [a]
  - to:   # both
      - b
      - c
"""


def block(old, new):
    assert old in BLOCK
    return BLOCK.replace(old, new)


# -- replace and rename ----------------------------------------------------------------


def test_number_loses_its_quotes():
    """A number in place of a text takes the quotes away; the comment stays."""
    text = Text(BLOCK)
    made = fixes.replace(text.node.at(("handlers", "a", "port")), 25)
    assert text.after(made) == block('"25"', "25")


def test_text_keeps_the_quotes_it_had():
    """A new text stands in the quotes of the old one."""
    text = Text(BLOCK)
    made = fixes.replace(text.node.at(("handlers", "b", "path")), "yes")
    assert text.after(made) == block("'off'", "'yes'")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("WARNING", "WARNING"),
        ("off", '"off"'),
        ("25", '"25"'),
        ("a: b", '"a: b"'),
        ("${NAME}", '"${NAME}"'),
        ("*.db", '"*.db"'),
        ('a: "x"', "'a: \"x\"'"),
        ("", '""'),
        (True, "true"),
        (None, "null"),
        (["a", "b c"], "[a, b c]"),
        ({"size": "10MiB"}, "{size: 10MiB}"),
    ],
)
def test_value_is_written_as_yaml(value, written):
    """A value is quoted only where it would be read as anything else."""
    text = Text("level: warn\n")
    made = fixes.replace(text.node.at(("level",)), value)
    assert text.after(made) == f"level: {written}\n"


def test_key_is_renamed():
    """A key changes alone; a key that is there already is left."""
    text = Text(BLOCK)
    made = fixes.rename(text, ("handlers", "b", "path"), "filename")
    assert text.after(made) == block("path:", "filename:")
    assert fixes.rename(text, ("handlers", "b", "path"), "type") is None


@pytest.mark.parametrize(
    "text",
    [
        'a: "x\\ty"\n',
        "a: 'it''s'\n",
        "a: |\n  x\n",
        "a: two\n  lines\n",
        "a:\n",
        "a: !!int 5\n",
    ],
)
def test_what_is_not_written_plainly_is_left(text):
    """Escapes, blocks of text, several lines, tags and nothing at all have no fix."""
    assert fixes.replace(Text(text).node.at(("a",)), "b") is None


def test_variable_is_left(monkeypatch):
    """What a variable stands for is not in the file, even where the lengths agree."""
    source = Source("a.yaml", 'version: 1\nroot: {level: "x${AB}z"}\n')
    monkeypatch.setenv("AB", "12345")
    node = load(source).node.at(("root", "level"))
    made = fixes.replace(node, "INFO")
    assert made is None or apply(source, [made]) is None


def test_dict_and_toml_have_no_fix():
    """A dict has no text, and TOML is not written."""

    class View:
        node, _ = parse(Source("<dict>", "", data={"version": "1", "root": {"level": "INFO"}}))

    assert fixes.replace(View.node.at(("version",)), 1) is None
    assert fixes.add(View, ("root",), "handlers: [a]") is None
    assert fixes.remove(View, ("version",)) is None
    View.node, _ = parse(Source("a.toml", "version = '1'\n", "toml"))
    assert fixes.replace(View.node.at(("version",)), 1) is None
    assert fixes.rename(View, ("version",), "x") is None


# -- remove ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (("handlers", "a", "port"), ', port: "25"', ""),
        (("handlers", "a", "type"), "type: email, ", ""),
        (("handlers", "a", "to"), ", to: [x, y, z]", ""),
        (("handlers", "a", "to", 0), "x, ", ""),
        (("handlers", "a", "to", 2), ", z", ""),
        (("handlers", "b"), "  b:\n    type: file   # kind\n    path: 'off'\n", ""),
        (("handlers", "b", "type"), "    type: file   # kind\n", ""),
        (("handlers", "c"), "  c:\n    type: console\n", ""),
        (("routes", 0), "  - match: {level: ERROR}\n    to: [a]\n", ""),
        (("routes", 0, "match"), "match: {level: ERROR}\n    ", ""),
        (("routes", 1), "  - to:   # both\n      - b\n      - c\n", ""),
        (("routes", 1, "to", 0), "      - b\n", ""),
        (("version",), "version: 1\n", ""),
    ],
)
def test_entry_goes_with_its_line_or_comma(path, old, new):
    """What is removed takes its line or comma and its own comment along, and nothing else."""
    text = Text(BLOCK)
    assert text.after(fixes.remove(text, path)) == block(old, new)


def test_last_entry_of_a_block_stays():
    """Nothing is left empty: `key:` alone would be null; in brackets there is `{}`."""
    text = Text(BLOCK)
    only = fixes.remove(text, ("handlers", "c", "type"))
    assert only is None or text.after(only) is None
    both = [fixes.remove(text, ("routes", 0)), fixes.remove(text, ("routes", 1))]
    assert text.after(*both) is None
    flow = Text("a: {b: 1}\nc: [d]\n")
    made = [fixes.remove(flow, ("a", "b")), fixes.remove(flow, ("c", 0))]
    assert flow.after(*made) == "a: {}\nc: []\n"


def test_comments_of_others_stay():
    """In brackets over several lines, the comments of other entries stay where they are."""
    text = Text("a: {\n  b: 1,  # of b\n  c: 2,  # of c\n  # of d\n  d: 3\n}\n")
    made = fixes.remove(text, ("a", "d"))
    assert text.after(made) == "a: {\n  b: 1,  # of b\n  c: 2,  # of c\n  # of d\n}\n"
    made = fixes.remove(text, ("a", "b"))
    assert text.after(made) == "a: {\n  c: 2,  # of c\n  # of d\n  d: 3\n}\n"


def test_what_an_alias_repeats_is_left():
    """An edit behind an anchor would change other places too."""
    text = Text("x: &m {k: 1}\ny: {<<: *m, z: 2}\nw: *m\n")
    assert text.after(fixes.rename(text, ("x", "k"), "l")) is None
    assert text.after(fixes.rename(text, ("y", "k"), "l")) is None
    assert text.after(fixes.remove(text, ("w", "k"))) is None
    assert text.after(fixes.remove(text, ("w",))) == "x: &m {k: 1}\ny: {<<: *m, z: 2}\n"
    assert text.after(fixes.add(text, ("y",), "a: 1")) == text.source.text.replace(
        "z: 2", "z: 2, a: 1"
    )


def test_repeated_key_is_not_swept_away():
    """A key that is written twice keeps the neighbour from being removed with it."""
    text = Text("a: {b: 1, c: 2, c: 3}\n")
    made = fixes.remove(text, ("a", "b"))
    assert text.after(made) in (None, "a: {c: 2, c: 3}\n")


# -- add -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (("handlers", "a"), "z]}", "z], k: v}"),
        (("handlers", "b"), "'off'\n", "'off'\n    k: v\n"),
        (("routes", 0), "    to: [a]\n", "    to: [a]\n    k: v\n"),
        (("routes", 0, "match"), "ERROR}", "ERROR, k: v}"),
        ((), "      - c\n", "      - c\nk: v\n"),
    ],
)
def test_entry_is_written_in_style(path, old, new):
    """A new entry stands in brackets, or on a line with the indentation of its keys."""
    text = Text(BLOCK)
    assert text.after(fixes.add(text, path, "k: v")) == block(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: {}\n", "a: {k: v}\n"),
        ("a: {b: 1,}\n", "a: {b: 1, k: v}\n"),
        ("a: { b: 1 }\n", "a: { b: 1, k: v }\n"),
        ("a: {\n  b: 1\n}\n", "a: {\n  b: 1,\n  k: v\n}\n"),
        ("a: {\n  b: 1,  # note\n}\n", "a: {\n  b: 1,  # note\n  k: v,\n}\n"),
        ("a: {\n  b: 1  # note\n}\n", "a: {\n  b: 1,  # note\n  k: v\n}\n"),
        ("a:\n  b: 1", "a:\n  b: 1\n  k: v"),
        ("a:\n  b: 1\n  c: |\n    text\n", "a:\n  b: 1\n  k: v\n  c: |\n    text\n"),
        ("a:\r\n  b: 1\r\n", "a:\r\n  b: 1\r\n  k: v\r\n"),
        ("a: &x\n  b: 1 # note\n", "a: &x\n  b: 1 # note\n  k: v\n"),
    ],
)
def test_entry_finds_its_place(old, new):
    """Trailing commas, comments, blocks of text, line ends and anchors are respected."""
    text = Text(old)
    assert text.after(fixes.add(text, ("a",), "k: v")) == new


def test_version_goes_to_the_top():
    """A missing `version` is written where everybody looks for it."""
    text = Text("# my app\nhandlers: {}\n")
    assert text.after(fixes.add(text, (), "version: 1")) == "# my app\nversion: 1\nhandlers: {}\n"


def test_json_is_written_as_json():
    """In a JSON file keys and texts get double quotes, and commas where they belong."""
    text = Text('{\n  "v": "1",\n  "h": {"a": {"x": "y"}},\n  "r": {}\n}\n', "a.json")
    made = [
        fixes.replace(text.node.at(("v",)), 1),
        fixes.rename(text, ("h", "a", "x"), "type"),
        fixes.add(text, ("r",), "level: INFO"),
        fixes.add(text, ("h",), "b: {rotate: [1, off]}"),
    ]
    after = text.after(*made)
    assert json.loads(after) == {
        "v": 1,
        "h": {"a": {"type": "y"}, "b": {"rotate": [1, "off"]}},
        "r": {"level": "INFO"},
    }
    gone = text.after(fixes.remove(text, ("v",)), fixes.remove(text, ("r",)))
    assert gone == '{\n  "h": {"a": {"x": "y"}}\n}\n'


def test_joined_fix_is_done_whole_or_not_at_all():
    """Of several edits in one fix none is made alone."""
    text = Text("a: {host: h, port: 1}\n")
    made = fixes.join(
        fixes.rename(text, ("a", "host"), "address"),
        fixes.replace(text.node.at(("a", "host")), "h:1"),
        fixes.remove(text, ("a", "port")),
    )
    assert text.after(made) == "a: {address: h:1}\n"
    assert fixes.join(made, None) is None
    foreign = Edit(Span("b.yaml", 1, 1, 1, 2), "x")
    assert text.after(Fix((*made.edits, foreign))) is None


def test_wide_characters_and_tabs_do_not_shift_edits():
    """Columns count characters, whatever their width, and the byte order mark is none."""
    text = Text('x: {"日本": \t"25", 🎉: "7"}\n')
    made = fixes.replace(text.node.at(("x", "🎉")), 7)
    assert text.after(made) == 'x: {"日本": \t"25", 🎉: 7}\n'


def test_text_that_says_something_else_is_not_handed_out():
    """An edit that would change more than it says is refused."""
    text = Text("a: b\nc: d\n")
    span = text.node.at(("a",)).span
    assert text.after(Fix((Edit(span, "x\nc: e"),))) is None
    assert text.after(Fix((Edit(span, "x # y"),))) is None


# -- certainty -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "names", "meant"),
    [
        ("levl", ["level", "type"], "level"),
        ("max-records", ["max_records", "max_bytes"], "max_records"),
        ("lvl", ["level", "type"], "level"),
        ("cafile", ["ca_file", "cafiles"], "ca_file"),
        ("bat", ["bad", "bag"], None),
        ("tu", ["to"], None),
        ("formaterr", ["formatter", "formatters"], None),
    ],
)
def test_only_one_candidate_is_certain(word, names, meant):
    """One slip with one candidate is certain, anything else is a guess."""
    from logroute.hints import OPTION_SYNONYMS

    assert fixes.certain(word, names, OPTION_SYNONYMS) == meant


# -- rounds ----------------------------------------------------------------------------


def task(*, is_unsafe=True, select=None):
    return Task(checked, select or (lambda _, loaded: loaded.diagnostics), is_unsafe=is_unsafe)


def test_safe_fixes_alone_by_default():
    """What may change where records go waits for its own option, and is counted."""
    text = "version: 1\nloggers:\n  app: {level: INFO, propogate: false}\nroot: {level: INFO}\n"
    fixed = fix_source(Source("a.yaml", text), task(is_unsafe=False))
    assert (fixed.cured, fixed.source.text) == (0, text) and fixed.unsafe
    only = task(select=lambda _, loaded: [x for x in loaded.diagnostics if x.code == "LR901"])
    fixed = fix_source(Source("a.yaml", text), only)
    assert fixed.source.text == text.replace("propogate", "propagate")


def test_fix_that_does_harm_is_left_out():
    """Of many fixes only the one that brings a new error is dropped."""
    text = "version: 1\nhandlers: {a: {type: console, levl: INFO}}\nroot: {handlers: a}\n"

    def odd(source, profile=None, *, advise=True):
        loaded = checked(source, profile)
        root, _ = parse(source)
        name = root.at(("root", "handlers"))
        item = error("LR190", "does not like it", name.span, None, fixes.replace(name, "nosuch"))
        return loaded._replace(diagnostics=(*loaded.diagnostics, item))

    fixed = fix_source(Source("a.yaml", text), Task(odd))
    assert fixed.source.text == text.replace("levl", "level")


def test_safe_fix_may_not_change_routing():
    """A fix that calls itself safe and is not, is not made."""
    text = "version: 1\nhandlers: {a: {type: console}}\nroot: {level: INFO, handlers: a}\n"

    def lying(source, profile=None, *, advise=True):
        loaded = checked(source, profile)
        level = loaded.node.at(("root", "level"))
        item = error("LR301", "wants DEBUG", level.span, None, fixes.replace(level, "DEBUG"))
        item = item._replace(severity=Severity.WARNING)
        found = (item,) if level.value != "DEBUG" else ()
        return loaded._replace(diagnostics=found)

    assert fix_source(Source("a.yaml", text), Task(lying)).cured == 0


def test_fix_has_to_be_right_under_all_profiles():
    """What is an error under another profile is not done."""
    text = (
        "version: 1\nhandlers: {a: {type: console}, b: {type: null}}\n"
        "root: {level: INFO, handlers: a}\nprofiles: {prod: {root: {handlers: [b]}}}\n"
    )
    source = Source("a.yaml", text.replace("null}", '"null"}'))

    def eager(source, profile=None, *, advise=True):
        loaded = checked(source, profile)
        if loaded.node.at(("handlers", "b")) is None:
            return loaded

        class View:
            node = loaded.node

        fix = fixes.remove(View, ("handlers", "b"), is_safe=False)
        item = Diagnostic(Severity.WARNING, "LR202", "b", loaded.node.span, fix=fix)
        return loaded._replace(diagnostics=(*loaded.diagnostics, item))

    assert fix_source(source, Task(eager, is_unsafe=True)).cured == 0


def mended(path):
    with contextlib.chdir(path.parent):
        source = read_path(path.name)[0] or Source("", "")  # a bad fixture may not even be text
        return source, checked(source), fix_source(source, task())


def comments(text):
    """Return the lines that are comments, without the odd characters that a fix takes out."""
    text = text.translate(dict.fromkeys(map(ord, "\u200b\xad\u202e\u202c"))).replace("\u3000", " ")
    return [line for line in map(str.strip, text.split("\n")) if line.startswith("#")]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_files_are_mended_as_far_as_they_can_be(path):
    """Fixes keep the comments, leave a readable file, and have nothing to do again."""
    source, _, fixed = mended(path)
    again = fix_source(fixed.source, task())
    assert (again.cured, again.source.text) == (0, fixed.source.text)
    assert comments(fixed.source.text) == comments(source.text)
    assert fixed.cured == 0 or fixed.loaded.node is not None


CODES = sorted(path.name for path in FIXTURES.iterdir())


@pytest.mark.parametrize("code", CODES)
def test_fix_makes_the_finding_of_its_fixture_vanish(code):
    """Whatever in a bad fixture has a fix of its code is gone once it is made."""
    source, loaded, fixed = mended(file_of(code, "bad"))
    mine = [item for item in loaded.diagnostics if item.code == code and item.fix is not None]
    left = [item for item in fixed.loaded.diagnostics if item.code == code and item.fix is not None]
    assert left == []
    if mine:
        assert fixed.cured and fixed.source.text != source.text
        assert comments(fixed.source.text) == comments(source.text)
        assert fix_source(fixed.source, task()).cured == 0


# -- random ----------------------------------------------------------------------------

TEXTS = [path.read_text() for path in (*SAMPLES, *BAD)]


def paths_of(node, path=()):
    yield path, node
    inner = node.value.items() if isinstance(node.value, dict) else ()
    inner = enumerate(node.value) if isinstance(node.value, list) else inner
    for step, item in inner:
        yield from paths_of(item, (*path, step))


def drawn_fix(data, text):
    path, node = data.draw(st.sampled_from(list(paths_of(text.node))))
    values = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.none())
    kind = data.draw(st.sampled_from(["replace", "rename", "remove", "add"]))
    if kind == "replace":
        return fixes.replace(node, data.draw(values))
    if kind == "rename":
        return fixes.rename(text, path, data.draw(st.text(max_size=8))) if path else None
    if kind == "remove":
        return fixes.remove(text, path) if path else None
    return fixes.add(text, path, "zz: {a: [1]}")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_fixes_never_break_a_file(data):
    """Any set of fixes on any file gives a text that parses and keeps its comments."""
    text = Text(data.draw(st.sampled_from(TEXTS)))
    if data.draw(st.booleans()):
        text = Text(text.source.text.replace("\n", "\r\n"))
    made = [fix for _ in range(data.draw(st.integers(1, 6))) if (fix := drawn_fix(data, text))]
    after = text.after(*made)
    if after is not None:
        root, _ = parse(Source("a.yaml", after))
        assert root is not None
        kept = comments(text.source.text)
        assert [line for line in comments(after) if line in kept] == comments(after)
        assert ("\r\n" in after) == ("\r\n" in text.source.text)


def mutated(data, text):
    lines = text.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(lines) - 1)))
        line = lines[at] if lines else ""
        cut = data.draw(st.integers(0, len(line)))
        piece = data.draw(st.sampled_from(["", "x", "'", ", ", "{", "]", "  ", "# c", "é日", ": "]))
        lines[at : at + 1] = [line[:cut] + piece + line[cut + data.draw(st.integers(0, 2)) :]]
    return "".join(lines)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutated_files_are_mended_once(data):
    """Fixing ends whatever a file has become, keeps comments, and has nothing to do again."""
    text = mutated(data, data.draw(st.sampled_from(TEXTS)))
    fixed = fix_source(Source("a.yaml", text), task())
    again = fix_source(fixed.source, task())
    assert (again.cured, again.source.text) == (0, fixed.source.text)
    if fixed.cured:
        root, _ = parse(fixed.source)
        assert root is not None and comments(fixed.source.text) == comments(text)
