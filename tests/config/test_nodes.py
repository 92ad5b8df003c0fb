"""Nodes: values and places, in every syntax and with both YAML parsers."""

import json
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.config import nodes, yamltext
from logroute.config.nodes import Budget, Node
from logroute.config.parse import parse
from logroute.config.source import Source, Syntax, from_bytes, from_dict, from_text

PARSERS = [yamltext.C_PARSER, yamltext.PYTHON_PARSER]


def good(text: str, syntax: Syntax = "yaml") -> Node:
    """Return the root of a text that has no fault."""
    node, found = parse(from_text(text, syntax=syntax))
    assert found == []
    assert node is not None
    return node


def place(node: Node | None) -> tuple[int, int, int, int]:
    """Return the place of a node, lines and columns from 1."""
    assert node is not None
    return tuple(node.span)[1:]


def same(left: Node, right: Node) -> bool:
    """Whether two trees agree in values, places and marks."""
    marks = [(n.span, n.keys, n.text, n.plain, n.opaque) for n in (left, right)]
    if marks[0] != marks[1] or type(left.value) is not type(right.value):
        return False
    if isinstance(left.value, dict):
        pairs = zip(left.value.items(), right.value.items(), strict=True)
        return all(a == b and same(x, y) for (a, x), (b, y) in pairs)
    if isinstance(left.value, list):
        return all(same(x, y) for x, y in zip(left.value, right.value, strict=True))
    return repr(left.value) == repr(right.value)


TEXT = """\
version: 1
handlers:
  console: {type: console, level: "WARN"}
  mail:
    to:
    - a@example.org
    - 'b c'
root:
  level:
  text: |
    one
    two
"""


def test_keys_and_values_have_places() -> None:
    """Each key and value knows line and column, the end excluded."""
    root = good(TEXT)
    assert tuple(root.keys["handlers"])[1:] == (2, 1, 2, 9)
    assert place(root.at(["handlers", "console"])) == (3, 12, 3, 42)
    assert place(root.at(["handlers", "console", "level"])) == (3, 35, 3, 41)
    assert place(root.at(["handlers", "mail", "to"])) == (6, 5, 7, 12)
    assert place(root.at(["handlers", "mail", "to", 1])) == (7, 7, 7, 12)
    assert place(root.at(["root", "level"]))[:2] == (9, 9)
    assert root.at(["handlers", "nobody", "x"]) is None
    assert root.at(["version", 0]) is None


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("日本: {名: x}", ["日本", "名"], (1, 9, 1, 10)),
        ("'😀😀': y", ["😀😀"], (1, 7, 1, 8)),
        ("a: 1\r\nb: 2\r\n", ["b"], (2, 4, 2, 5)),
        ("\ufeffa: 1", ["a"], (1, 4, 1, 5)),
        ('a: "x\u2028y"\nb: 2', ["b"], (2, 4, 2, 5)),
        ("a: 1\rb: 2\r", ["b"], (2, 4, 2, 5)),
        ("a: &x foo\nb: *x", ["a"], (1, 7, 1, 10)),
        ("a: !!str 12", ["a"], (1, 10, 1, 12)),
        ("a: !!str 'x'", ["a"], (1, 10, 1, 13)),
    ],
)
@pytest.mark.parametrize("parser", PARSERS)
def test_places_count_characters(
    parser: Any, text: str, path: list[str], expected: tuple[int, ...]
) -> None:
    """Columns are characters, and lines are what editors show."""
    root = yamltext.build(from_text(text), Budget(), [], parser)
    assert root is not None
    assert place(root.at(path)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("012", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0xFF", 255),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("10MiB", "10MiB"),
        ("=ERROR", "=ERROR"),
        ("'12'", "12"),
        ('"\\u00e9"', "é"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!float 3", 3.0),
        ("! 12", "12"),
        ("٣", "٣"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    """The core schema decides; what 1.1 made of `yes` and `12:30` is text."""
    node = good(f"a: {text}").value["a"]
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("OFF", False),
        ("0644", 420),
        ("1_000", 1000),
        ("12:30", 750),
        ("2024-01-01", date(2024, 1, 1)),
        ("2024-13-45", "2024-13-45"),
        ("1e3", "1e3"),
        ("=", "="),
        ("'yes'", "yes"),
        ("!!str yes", "yes"),
    ],
)
def test_legacy_data_is_what_safeloader_gives(text: str, value: object) -> None:
    """Parts written stdlib's way keep the meaning they had under PyYAML."""
    data = good(f"a: [{text}]").data(legacy=True)
    assert data == {"a": [value]}
    assert type(data["a"][0]) is type(value)


def test_text_is_kept_beside_the_value() -> None:
    """What was written stays readable, without its quotes."""
    root = good("a: 0o17\nb: 'it''s'\nc: [1]")
    assert [(root.value[key].text, root.value[key].plain) for key in "abc"] == [
        ("0o17", True),
        ("it's", False),
        ("", False),
    ]


def test_keys_are_always_texts() -> None:
    """Numbers, truth values and null are keys by their text."""
    assert list(good("1: a\ntrue: b\n~: c\n1.50: d").value) == ["1", "true", "~", "1.50"]


def test_duplicate_key_names_the_first() -> None:
    """The second key is the error, the first one is shown beside it."""
    node, found = parse(from_text("a: 1\nb: {c: 1, 'c': 2}\na: 3\n", "x"))
    assert [(str(item.span), item.code) for item in found] == [
        ("x:2:11", "LR006"),
        ("x:3:1", "LR006"),
    ]
    assert [str(item.related[0][1]) for item in found] == ["x:2:5", "x:1:1"]
    assert node is not None
    assert node.data() == {"a": 3, "b": {"c": 2}}  # the last one counts, as in PyYAML


def test_aliases_share_their_node() -> None:
    """An alias is the very node of its anchor."""
    root = good("a: &x {k: 1}\nb: *x\nc: [*x, *x]\n&k key: 1\n2: *k")
    assert root.value["b"] is root.value["a"]
    assert root.value["c"].value[1] is root.value["a"]
    assert root.value["2"].value == "key"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3, z: 4}",
        "a: &a {x: 1, y: 2}\nb: &b {x: 9, w: 1}\nc:\n  <<: [*a, *b]\n  v: 1",
        "a: &a {x: 1}\nb: &b {<<: *a, y: 1}\nc: {z: 1, <<: *b}",
        "a: &a {x: 1}\nb: {'<<': 1}",
    ],
)
def test_merge_keys_do_what_yaml_1_1_says(text: str) -> None:
    """Own keys win, then earlier mappings win over later ones."""
    assert good(text).data() == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: *b", "LR009"),
        ("*b : 1", "LR009"),
        ("a: &a [*a]", "LR009"),
        ("a: &a {b: *a}", "LR009"),
        ("a: &a {<<: *a}", "LR009"),
        ("a: {<<: 1}", "LR009"),
        ("a: {<<: {b: 1}}", "LR009"),
        ("a: {<<: [{b: 1}]}", "LR009"),
        ("a: &a 1\nb: {<<: *a}", "LR009"),
        ("a: {<<: *x}", "LR009"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}", "LR006"),
        ("a: !secret x", "LR007"),
        ("a: !!python/name:os.system ''", "LR007"),
        ("a: !!python/object/apply:os.system [ls]", "LR007"),
        ("a: !!map [x]", "LR007"),
        ("a: !!set {x}", "LR007"),
        ("a: !!int x", "LR007"),
        ("a: !!binary eA==", "LR007"),
        ("a: {{ b }}", "LR005"),
        ("a: {{ b }}\nc: [{{ [d] }}, {[e]: f}]", "LR005"),
        ("a: 1\n---\nb: 1\n---\nc: 1", "LR008"),
    ],
)
@pytest.mark.parametrize("parser", PARSERS)
def test_misuse_is_told_once(parser: Any, text: str, expected: str) -> None:
    """Each misuse is one diagnostic, and the rest of the file is still read."""
    found: list[Any] = []
    root = yamltext.build(from_text(text), Budget(), found, parser)
    assert [item.code for item in found] == [expected]
    assert root is not None


def test_unknown_values_are_opaque() -> None:
    """What an unknown tag or alias stands for is not judged any further."""
    node, _ = parse(from_text("a: !vault x\nb: *nobody\nc: 1"))
    assert node is not None
    assert [node.value[key].opaque for key in "abc"] == [True, True, False]


@pytest.mark.parametrize("text", ["password: *hunter2", "api_key: !hunter2 x"])
def test_messages_veil_what_may_be_secret(text: str) -> None:
    """A password that starts with `*` or `!` is not repeated."""
    _, found = parse(from_text(text))
    assert len(found) == 1
    assert "hunter2" not in str(found[0])
    assert "********" in str(found[0])


SYNTAX = [
    ("a:\n\tb: 1\n", "2:1", "tab"),
    ("a: %(message)s\n", "1:4", "start with `%`"),
    ("a: @x\n", "1:4", "start with `@`"),
    ("a: `x`\n", "1:4", "backtick"),
    ("a: error: x\nb: 1\n", "1:9", "cannot contain `: `"),
    ('a: "foo\nb: 1\n', "1:4", "never closed"),
    ("a: [x] y\n", "1:8", "behind the closing `]`"),
    ("a: {x: 1} y\n", "1:11", "behind the closing `}`"),
    ('a: "x" y\n', "1:8", "behind a closing quote"),
    ('a: "C:\\logs"\n', "1:7", "backslash"),
    ('a: "\\ud83d\\ude00"\n', "1:5", "surrogate"),
    ("a: 1\nlevel:INFO\nb: 2\n", "2:6", "space is missing"),
    ("a:1\nb: 2\n", "1:2", "space is missing"),
    ("a: 1\nfoo\nb: 2\n", "2:1", "no `: `"),
    ("a:\n    b: 1\n  c: 2\n", "3:3", "indentation"),
    ("a: 1\n  b: 2\n", "2:4", "indentation"),
    ("a: - b\n", "1:4", "list cannot start"),
    ("a: 1\n- b\n", "2:1", "list item"),
    ("- a\nb: 1\n", "2:1", "among list items"),
    ("a: [x, y\nb: 1\n", "2:2", "closing `]` is missing"),
    ("a: {x: 1 y: 2}\n", "1:11", "closing `}` is missing"),
    ("a: [x]]\n", "1:7", "remove one `]`"),
    ("a: {b: {c: d}}}\n", "1:15", "remove one `}`"),
    ("a:\n  b: {c: d}}\n", "2:12", "remove one `}`"),
    ("- {a: {b: c}}, d: e}\n", "1:14", "one too many"),
    ("a:\n  - {b: c}\n  {b: c}\n", "3:3", "begins with `- `"),
    ("a:\n  - {b: c}\n\n    {b: c}\n", "4:5", "begins with `- `"),
    ("a:\n  - b\n  c\n", "3:3", "begins with `- `"),
    ("a:\n  - b: c\n  b: c\n", "3:3", "begin a new item with `- `"),
    ("a: *.db\n", "1:4", "anchor"),
    ("a: >=30\n", "1:4", "block of text"),
    ("a: !foo!bar x\n", "1:4", "tag"),
    ("a: ,x\n", "1:4", "start with `,`"),
    ("a: [${X}]\n", "1:5", "variable"),
    ("a: {{ x }}/y\n", "1:5", "template"),
    ("%YAML 3.0\n---\na: 1\n", "1:1", "version"),
]


@pytest.mark.parametrize(("text", "where", "word"), SYNTAX)
@pytest.mark.parametrize("parser", PARSERS)
def test_syntax_errors_say_what_was_meant(
    parser: Any, text: str, where: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One LR005 at the right place, with a cure, whichever parser found it."""
    monkeypatch.setattr(yamltext, "C_PARSER", parser)
    _, found = parse(from_text(text, "x"))
    assert [item.code for item in found] == ["LR005"]
    assert str(found[0].span) == f"x:{where}"
    assert word in f"{found[0].message} {found[0].help}"
    assert found[0].help


@pytest.mark.parametrize("text", ["- {a: b, c:{d: e}}\n", "- {a: b, c:[d]}\n"])
def test_colon_before_a_bracket_needs_a_space(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What libyaml refuses, though PyYAML's own parser takes it, has its cure too."""
    monkeypatch.setattr(yamltext, "C_PARSER", PARSERS[0])
    _, found = parse(from_text(text, "x"))
    assert [str(item.span) for item in found] == ["x:1:11"]
    assert "space is missing" in found[0].message


JSON_FAULTS = [
    ('{"a": 1,}', "1:8", "before the closing bracket"),
    ("{'a': 1}", "1:2", "double quotes only"),
    ("{a: 1}", "1:2", "double quotes"),
    ('{"a": True}', "1:7", "write `true`"),
    ("[NaN]", "1:2", "no such number"),
    ('{"a": 1 "b": 2}', "1:9", "closing `}` is missing"),
    ("{} // x", "1:4", "behind the end"),
    ('{"a": 1 // x\n}', "1:9", "no comments"),
    ('["\\q"]', "1:3", "escape"),
    ('["a\nb"]', "1:2", "never closed"),
    ('["a\tb"]', "1:4", "control character"),
    ('["\\ud83d"]', "1:2", "surrogate"),
    ('{"a": [1', "1:9", "closing `]` is missing"),
    ("[01]", "1:2", "a value is expected"),
]


@pytest.mark.parametrize(("text", "where", "word"), JSON_FAULTS)
def test_json_errors_speak_of_json(text: str, where: str, word: str) -> None:
    """JSON is read strictly, and its faults have a place and a cure."""
    _, found = parse(from_text(text, "x", "json"))
    assert [item.code for item in found] == ["LR005"]
    assert str(found[0].span) == f"x:{where}"
    assert "JSON" in found[0].message
    assert word in f"{found[0].message} {found[0].help}"


def test_json_reads_tabs_escapes_and_pairs() -> None:
    """Tabs between tokens, escaped slashes and surrogate pairs are plain JSON."""
    text = '{\n\t"a":\t"\\/\\ud83d\\ude00\u2028",\r\n\t"b": [1e2, -0, "yes"]\n}'
    root = good(text, "json")
    assert root.data() == {"a": "/😀\u2028", "b": [100.0, 0, "yes"]}
    assert root.data(legacy=True) == root.data()
    assert place(root.at(["b", 2])) == (3, 17, 3, 22)
    assert tuple(root.keys["b"])[1:] == (3, 2, 3, 5)


TOML = """\
version = 1
[handlers.console]
type = "console"
"a.b" = [1, {x.y = 2}]
[[routes]]
to = []
[[routes]]
match = {level = "ERROR"}
when = 1979-05-27
"""


def test_toml_has_places_too() -> None:
    """Tables, dotted keys and arrays of tables know where they stand."""
    root = good(TOML, "toml")
    assert place(root.at(["handlers", "console", "type"])) == (3, 8, 3, 17)
    assert place(root.at(["handlers", "console", "a.b", 1, "x", "y"])) == (4, 20, 4, 21)
    assert place(root.at(["routes", 1, "match", "level"])) == (8, 18, 8, 25)
    assert place(root.at(["routes", 0])) == (5, 1, 5, 11)
    routes = root.at(["routes", 1])
    assert routes is not None
    assert tuple(routes.keys["when"])[1:] == (9, 1, 9, 5)
    assert routes.data() == {"match": {"level": "ERROR"}, "when": "1979-05-27"}


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("a = foo", "LR005", "1:5"),
        ("a: 1", "LR005", "1:2"),
        ("a = 1\nb = 2\na = 3", "LR006", "3:1"),
        ("[a]\n[a]", "LR006", "2:3"),
        ('a = "C:\\logs"', "LR005", "1:8"),
        ("a = [1", "LR005", "1:7"),
        ("a = " + "[" * 100_000, "LR004", "1:69"),
        (".".join("a" * 100_000) + " = 1", "LR004", "1:129"),
        ("a = " + "1" * 5000, "LR004", "1:1"),
        ("a = 1 # " + "x" * 1_100_000, "LR004", "1:1"),
    ],
)
def test_toml_faults_are_one_diagnostic(text: str, code: str, where: str) -> None:
    """What tomllib says, or cannot bear, comes with a place."""
    _, found = parse(from_text(text, "x", "toml"))
    assert [(item.code, str(item.span)) for item in found] == [(code, f"x:{where}")]


def test_dict_keeps_foreign_objects() -> None:
    """Streams and classes stay themselves, tuples come back as tuples."""
    stream, kind = object(), str
    data = {"a": stream, "b": kind, "c": ("localhost", 514), 1: [None, True, "yes"], None: 2.5}
    root, found = parse(from_dict(data))
    assert found == []
    assert root is not None
    assert root.data(legacy=True) == {
        "a": stream,
        "b": kind,
        "c": ("localhost", 514),
        "1": [None, True, "yes"],
        "null": 2.5,
    }
    assert isinstance(root.value["c"].value, list)
    assert str(root.value["a"].span) == "<dict>:1:1"
    assert root.value["1"].value[1].text == "true"


def test_cyclic_dict_is_refused() -> None:
    """A dict that holds itself is too deep."""
    data: dict[str, Any] = {}
    data["a"] = [data]
    _, found = parse(from_dict(data))
    assert [item.code for item in found] == ["LR004"]


def test_secret_is_veiled_in_repr() -> None:
    """A node that holds a secret does not show it."""
    node = Node("hunter2", good("a: 1").span, secret=True)
    assert "hunter2" not in repr(node)


def test_keys_of_scalars_stay_empty() -> None:
    """Scalars and lists share one empty mapping of keys."""
    assert good(TEXT).value["version"].keys == {}
    assert nodes._NO_KEYS == {}


plain_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
    max_leaves=20,
)
mappings = st.dictionaries(plain_text, trees, min_size=1, max_size=4)


@given(mappings, st.booleans(), st.sampled_from(PARSERS))
@settings(max_examples=150, deadline=None)
def test_dumped_yaml_comes_back(data: dict[str, Any], flow: bool, parser: Any) -> None:
    """What PyYAML writes is read as it was, by either parser."""
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow, sort_keys=False)
    found: list[Any] = []
    root = yamltext.build(from_text(text), Budget(), found, parser)
    assert [item for item in found if item.code != "LR010"] == []
    assert root is not None
    assert root.data(legacy=True) == data


@given(mappings, st.sampled_from([None, 2, "\t"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_dumped_json_comes_back(data: dict[str, Any], indent: Any, ascii_only: bool) -> None:
    """What the standard library writes is read as it was."""
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    root, found = parse(from_text(text, syntax="json"))
    assert [item for item in found if item.code != "LR011"] == []
    assert root is not None
    assert root.data() == data


@given(mappings)
@settings(max_examples=100, deadline=None)
def test_dicts_come_back(data: dict[str, Any]) -> None:
    """A dict source gives its data back."""
    root, found = parse(from_dict(data))
    assert found == []
    assert root is not None
    assert root.data() == root.data(legacy=True) == data


json_pieces = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"a"', '"b"', "1", "-0", "1.5e3", "01", "true", "null", " "]
)


@given(st.lists(json_pieces, max_size=12).map("".join))
@settings(max_examples=400, deadline=None)
def test_json_is_accepted_as_by_stdlib(text: str) -> None:
    """The standard library's decoder is the judge of what is JSON."""
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    node, found = parse(from_text(text, syntax="json"))
    faults = [item.code for item in found]
    if expected is None:
        assert node is None
        assert faults[-1] in ("LR005", "LR003")
    else:
        assert set(faults) <= {"LR006"}
        assert node is not None


@given(mappings)
@settings(max_examples=100, deadline=None)
def test_both_parsers_give_the_same_nodes(data: dict[str, Any]) -> None:
    """Places, texts and values do not depend on libyaml being there."""
    text = yaml.safe_dump(data, allow_unicode=True)
    roots = [yamltext.build(from_text(text), Budget(), [], parser) for parser in PARSERS]
    assert roots[0] is not None
    assert roots[1] is not None
    assert same(roots[0], roots[1])


YAML_PIECES = """a|b:|: |- |  |[|]|{|}|,|'|"|&x |*x|<<: |!!int |!x |> |# |---|...|%|1|? |~|😀|${"""
yaml_pieces = st.sampled_from([*YAML_PIECES.split("|"), "|\n", "\n", "\t", "\\", "\u2028"])
anything = st.lists(yaml_pieces, max_size=25).map("".join) | st.text(max_size=40)


@given(anything, st.sampled_from(["yaml", "json", "toml"]))
@settings(max_examples=500, deadline=None)
def test_any_text_gives_a_tree_or_diagnostics(text: str, syntax: Any) -> None:
    """No text raises, and every place lies in the text."""
    node, found = parse(from_text(text, "x", syntax))
    assert node is not None or found
    for item in found:
        str(item).encode()
        assert item.span.line >= 1
        assert item.span.column >= 1
    if node is not None:
        node.data(legacy=True)


@given(st.binary(max_size=60), st.sampled_from(["yaml", "json", "toml"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_tree_or_diagnostics(data: bytes, syntax: Any) -> None:
    """No bytes raise."""
    source, found = from_bytes(data, "x", syntax)
    if source is None:
        assert len(found) == 1
    else:
        node, found = parse(source)
        assert node is not None or found


def test_source_without_text_is_empty() -> None:
    """A comment is no config."""
    _, found = parse(Source("x", "# nothing\n"))
    assert [(item.code, str(item.span)) for item in found] == [("LR003", "x:1:1")]
