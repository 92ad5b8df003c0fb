"""The reader without PyYAML: whatever it reads, it reads as PyYAML's parsers do."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.config import plainyaml, yamltext
from logroute.config.nodes import Budget, Node, RefusedError
from logroute.config.parse import parse
from logroute.config.scalars import _legacy_reader, as_legacy
from logroute.config.source import from_bytes, from_text

ROOT = Path(__file__).parents[2]
PARSERS = [parser for parser in (yamltext.C_PARSER, yamltext.PYTHON_PARSER) if parser]
#: What mutations put into a text: all that means something to YAML, and much that may.
BITS = [
    *(
        ":",
        ": ",
        "- ",
        "-",
        "\n",
        "  ",
        " ",
        "#",
        " #",
        "{",
        "}",
        "[",
        "]",
        ",",
        ", ",
        "'",
        '"',
        "?",
    ),
    *("&a ", "*a", "!x ", "|", ">", "<<", "<<: ", "%", "@", "`", "\\", "~", "null", ".", "=", "\t"),
    *(
        "...",
        "---",
        "\n---\n",
        "é",
        "\u2028",
        "\xa0",
        "\ufeff",
        "\r\n",
        "\n\n",
        "\n  ",
        "\n- ",
        "a: b",
    ),
    *("-1", "1_0", "0o7", "(", ")", ";", "$", "^", "${X}", "a b", "''", '""', "\n# c\n", "x" * 210),
]
SEEDS = [
    "a: b\nc: {d: e, f: [g, 1]}\nh:\n- i: j\n  k: l\n- m\n",
    "a:\n  b: 1\n  c:\n    - x\n    - {y: z,\n       w: v}\n  d: 'q'\n",
    'x: [a, b,\n  c]  # why\ny: "z"  # r\n"q": w\n',
    "a:\n  - b: c\n    d: e\n  - f\ng: h",
    "r:\n  - match: {level: INFO..ERROR, logger: app.*}\n    to: [c, f]\n  - {to: []}\n",
]


def flat(node: Node) -> object:
    """Return all that a node holds, places included, in order."""
    value = node.value
    if isinstance(value, dict):
        value = [(key, flat(item)) for key, item in value.items()]
    elif isinstance(value, list):
        value = [flat(item) for item in value]
    else:
        value = (type(value), repr(value))
    return value, node.span, list(node.keys.items()), node.text, node.plain, node.opaque


def reads_alike(text: str) -> bool:
    """Return whether `text` is read without PyYAML; if so, all readers agree on it."""
    source = from_text(text)
    budget = Budget()
    tree = plainyaml.read(source, budget)
    if tree is None:
        assert budget.nodes == 0
        return False
    for parser in PARSERS:
        other, faults = Budget(), []
        try:
            full = yamltext.build(source, other, faults, parser)
        except RefusedError as refusal:
            pytest.fail(f"{text!r} is refused: {refusal.diagnostic}")
        assert faults == []
        assert full is not None
        assert flat(tree) == flat(full)
        assert budget.nodes == other.nodes
    return True


def test_most_configs_need_no_pyyaml():
    """Of the sample configs and fixtures nearly all are read, each as PyYAML reads it."""
    texts = []
    for path in sorted([*ROOT.glob("sample-configs/**/*.yaml"), *ROOT.glob("tests/**/*.yaml")]):
        source, _ = from_bytes(path.read_bytes(), "config")
        if source is not None and "\0" not in source.text:
            texts.append(source.text)
    assert sum(map(reads_alike, texts)) > 0.8 * len(texts) > 100


@given(
    st.sampled_from(SEEDS),
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 4), st.sampled_from(["", *BITS])),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=600, deadline=None)
def test_mutated_texts_are_read_alike(text, changes):
    """Whatever is put into a text or taken out: both readers agree, or one is not asked."""
    for start, length, bit in changes:
        text = text[:start] + bit + text[start + length :]
    if parse(from_text(text))[1] == [] or text.isascii():
        reads_alike(text)


@pytest.mark.parametrize("text", SEEDS)
def test_plain_texts_are_read(text):
    """What the mutations start from is read without PyYAML."""
    assert reads_alike(text)


@pytest.mark.parametrize(
    "text",
    [
        *("- a\n", "a: &x b\n", "a: *x\n", "a: !!str b\n", "a: |\n  b\n", "a: b\n  c\n", "a:\n"),
        *("a: 'b''c'\n", 'a: "\\n"\n', "a: b\na: c\n", "<<: {a: b}\n", "a: b: c\n", "a : b\n"),
        *(
            "a: {b: c, b: d}\n",
            "a: [b c: d]\n",
            "a: {b}\n",
            "a: [b\n c]\n",
            "--- \na: b\n",
            "a: %b\n",
        ),
        *(
            "a: [b,\nc]\n",
            "? a\n: b\n",
            "a:\n  - b\n c: d\n",
            "a: 'b'c\n",
            "a: b\n...\n",
            "\ta: b\n",
        ),
        *("", "# only\n", "a", f"{'k' * 300}: b\n", f"a: {'1' * 2000}\n", "a: [" * 40, "a: -\n"),
    ],
)
def test_all_else_is_left_to_pyyaml(text):
    """Faults, and what is seldom written, make the reader give up and count nothing."""
    assert not reads_alike(text)


def test_budget_of_includes_goes_on():
    """A text that makes too many values with those read before is not read."""
    source = from_text("a: [b, c]\n")
    budget = Budget(10)
    assert plainyaml.read(source, budget) is not None
    assert budget.nodes == 14
    assert plainyaml.read(source, Budget(199_997)) is None


@given(st.text("yesnofYESNOtrulTRUFa0129._-+:~=<é٣", max_size=6))
@settings(max_examples=500, deadline=None)
def test_legacy_scalars_are_those_of_pyyaml(text):
    """What is said of a scalar without PyYAML is what PyYAML says."""
    expected = _legacy_reader()(text)
    assert (type(as_legacy(text)), repr(as_legacy(text))) == (type(expected), repr(expected))


@pytest.mark.parametrize(
    "word", ["yes", "Yes", "YES", "yEs", "on", "Off", "NO", "y", "n", "true", "False", "Null"]
)
def test_legacy_words_are_those_of_pyyaml(word):
    """Truth values in all their forms, and what only looks like one."""
    assert as_legacy(word) == _legacy_reader()(word)
