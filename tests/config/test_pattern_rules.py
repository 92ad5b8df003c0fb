"""Regular expressions that take for ever are told, and no others."""

import json
import subprocess
import sys

import pytest

from logroute.config.load import load
from logroute.config.regexes.graphs import Budget
from logroute.config.regexes.traps import find_trap

# from collections of patterns that stopped services, and variations of them
EVIL = [
    r"(a|a)*b",
    r"(a*)*b",
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a|b|ab)*c",
    r"(a?a?)*b",
    r"(a{1,3})+$",
    r"(a+?)+$",
    r"(x+x+)+y",
    r"(.*)*x",
    r"(.*a){11}$",
    r"(.*a){20}$",
    r"((a?)*c)*$",
    r"(a*b*)*$",
    r"^(\w+\s?)+$",
    r"^(\d+)*$",
    r"(?i)(\w+ ?)+!",
    r"([^,]*,?)*;",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"^(([\-.]|[_]+)?([a-zA-Z0-9]+))*@[a-z]+$",
    r"user=(?:\w|\s|\w\w)+;",
]
# what people write in log filters; and what only looks like the above
FINE = [
    r"(\d+\.)+\d+$",
    r"(\w+\s)+$",
    r"(a|ab)*c",
    r"(a|b)*c",
    r"(?i)(a|A)+$",
    r"(\w|\d)+!",
    r"(foo|bar|baz)+$",
    r"(\w+=\w+;)*$",
    r"([^,]+,)*end",
    r"^(?:[a-z]+-)*[a-z]+$",
    r'"(?:[^"\\]|\\.)*"',
    r"(?:[^()]|\([^()]*\))*$",
    r"(?:25[0-5]|2[0-4]\d|1\d\d|\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|\d?\d)){3}$",
    r"\b\d{4}(?:[ -]?\d{4}){3}\b",
    r"(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?$",
    r"(?:[A-Z][a-z]+\s+)+from",
    r"(\d{1,3}\.){3}\d{1,3}$",
    r"(?:\d[ -]*?){13,16}$",
    # nothing can follow that fails, so that nothing is tried again
    r"(a|a)*",
    r"(a+)+",
    r"(\w+\s?)+",
    r"(\w+\s?)+\w",
    # what was taken is kept
    r"^(\w++\s?)+$",
    r"^(?>\w+\s?)+$",
    r"^(\w+\b\s*)+$",
]
# matches a pattern against hard texts, and says when it is done
CHILD = """
import json, re, sys
for pattern, texts in json.load(sys.stdin):
    for text in texts:
        re.search(pattern, text)
"""


def start(work):
    """Start a child that searches patterns in texts."""
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, text=True)
    json.dump(work, child.stdin)
    child.stdin.close()
    return child


def trap_of(pattern):
    return find_trap(pattern, Budget())


def findings(pattern, **more):
    document = {
        "version": 1,
        "handlers": {"out": {"type": "console"}},
        "routes": [{"match": {"message": pattern}, "to": "out"}],
        **more,
    }
    return load(document, environ={}, advise=True).diagnostics


@pytest.mark.parametrize("pattern", EVIL)
def test_evil_pattern_is_told(pattern):
    """A pattern that stops a service is told of."""
    assert [item.code for item in findings(pattern)] == ["LR404"]


def test_told_patterns_are_slow():
    """The text that the finding names really stops `re`: nobody is done in any time."""
    traps = {pattern: trap_of(pattern) for pattern in EVIL}
    children = {
        pattern: start([(pattern, [head + pump * 150 + end for end in ("", "!", "\n!", "\n\n")])])
        for pattern, (head, pump) in traps.items()
    }
    try:
        assert start([]).wait(60) == 0  # by then the others have begun
        with pytest.raises(subprocess.TimeoutExpired):
            children[EVIL[-1]].wait(2)
        assert [pattern for pattern, child in children.items() if child.poll() is not None] == []
    finally:
        for child in children.values():
            child.kill()
            child.wait()


@pytest.mark.parametrize("pattern", FINE)
def test_fine_patterns_are_silent(pattern):
    """What no text stops is not told."""
    assert trap_of(pattern) is None


def test_silent_patterns_are_quick():
    """No short word repeated, with an end that does not fit, stops what is not told."""
    words = [
        "a",
        "1",
        ".",
        "ab",
        "a ",
        "1.",
        "a-",
        "=;",
        "a=a;",
        ",",
        "foo",
        '"',
        "\\",
        "()",
        "A a",
    ]
    texts = [head + word * 40 + end for head in ("", '"') for word in words for end in ("!", "\n!")]
    assert start([(pattern, texts) for pattern in FINE]).wait(60) == 0


def test_pattern_of_filter_is_told():
    """The patterns of `redact` run over every record, too."""
    filters = {"f": {"type": "redact", "patterns": [r"(\w+\s?)+:"], "replacement": "x"}}
    assert "LR404" in [item.code for item in findings("fine", filters=filters)]


def test_trap_of_secret_pattern_is_not_shown():
    """A text that fits a secret pattern would tell what it says."""
    document = """
version: 1
handlers: {out: {type: console}}
routes:
  - {match: {message: "${TOKEN_PATTERN}"}, to: out}
"""
    loaded = load(document, environ={"TOKEN_PATTERN": r"(qqq+)+$"}, advise=True)
    told = [item.message for item in loaded.diagnostics if item.code == "LR404"]
    assert len(told) == 1
    assert "q" not in told[0]


def test_broken_pattern_is_told_once():
    """What cannot be compiled is an error, and not judged."""
    assert [item.code for item in findings("((a+)+$")] == ["LR403"]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:(){4000000}a*)*$",
        "((((((){99}){99}){99}){99}a*)*b)*$",
        "(?:" + ".?" * 200 + "b)*$",
        "(?:[" + "".join(map(chr, range(0x4E00, 0x5200))) + "]*b?)*$",
        "(" * 300 + "a*" + ")*" * 300,
        "(" * 90 + "a*" + ")*" * 90,
    ],
)
def test_huge_pattern_is_not_judged(pattern):
    """What would take long to judge is left alone: a check ends."""
    budget = Budget()
    assert find_trap(pattern, budget) is None
    assert find_trap(r"(\w+\s?)+$", budget) is not None


def test_judging_is_bounded_for_a_file():
    """However many patterns a file has, a bounded number of steps is taken."""
    budget = Budget()
    pattern = "(?:" + ".x?" * 60 + "b)*$"
    for _ in range(1000):
        find_trap(pattern, budget)
    assert budget.left == 0
    assert find_trap(EVIL[0], budget) is None
