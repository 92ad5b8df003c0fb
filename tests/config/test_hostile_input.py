"""Hostile and broken input: one diagnostic each, no exception, no harm."""

import os
from pathlib import Path
from typing import Any

import pytest

from logroute.config import yamltext
from logroute.config.expand import expand
from logroute.config.parse import parse
from logroute.config.source import MAX_BYTES, Syntax, from_bytes, from_text, read

ALIAS_BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
MERGE_BOMB = "a0: &a0 {k: x}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: x}}\n" for n in range(1, 10)
)

FATAL = {
    "empty": ("", "LR003"),
    "blank": (" \n\n", "LR003"),
    "comment only": ("# version: 1\n", "LR003"),
    "document without content": ("---\n", "LR003"),
    "null": ("null\n", "LR003"),
    "control character": ("a: \x07\n", "LR002"),
    "lone surrogate": ("a: \ud800\n", "LR002"),
    "escaped surrogate": ('a: "\\ud800"\n', "LR005"),
    "escaped surrogate in a key": ('"\\ud800": a\n', "LR005"),
    "100 000 lists": ("- " * 100_000, "LR004"),
    "100 000 brackets": ("[" * 100_000, "LR004"),
    "1 MB of brackets": ("[" * 1_000_000, "LR004"),
    "100 000 braces": ("{" * 100_000, "LR004"),
    "100 000 mappings": ("{a: " * 100_000, "LR004"),
    "100 000 complex keys": ("? " * 100_000, "LR004"),
    "alias bomb": (ALIAS_BOMB, "LR004"),
    "merge bomb": (MERGE_BOMB, "LR004"),
    "wide merge": (
        f"a: &a {{{', '.join(f'k{n}: 1' for n in range(1000))}}}\n"
        + "".join(f"b{n}: {{<<: *a}}\n" for n in range(1000)),
        "LR004",
    ),
    "many tag handles": ("".join(f"%TAG !a{n}! x\n" for n in range(50)) + "--- a\n", "LR004"),
    "too many values": ("[" + "a," * 200_001 + "]", "LR004"),
    "too much text": ("#" * (MAX_BYTES + 1), "LR004"),
    "tab": ("a:\n\tb: 1\n", "LR005"),
    "unclosed quote": ("a: '" + "x\n" * 10_000, "LR005"),
    "long key": ("k" * 100_000 + ": 1\n", "LR005"),
}


@pytest.mark.parametrize("name", FATAL)
@pytest.mark.parametrize("parser", [yamltext.C_PARSER, yamltext.PYTHON_PARSER])
def test_hostile_yaml_is_one_diagnostic(
    name: str, parser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read ends with exactly one error, whichever parser reads."""
    monkeypatch.setattr(yamltext, "C_PARSER", parser)
    text, code = FATAL[name]
    node, found = parse(from_text(text))
    assert node is None
    assert [item.code for item in found] == [code]
    str(found[0]).encode()
    assert len(str(found[0])) < 300


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: !!python/object/apply:os.system ['touch pwned']\n", "LR007"),
        ("a: !!python/object/new:type [x, [], {}]\n", "LR007"),
        ("!!python/object:os.system\na: 1\n", "LR007"),
        ("a: " + "9" * 5000, "LR004"),
        ("a: 0x" + "f" * 5000, "LR004"),
        ("a: 1." + "0" * 5000, "LR004"),
    ],
)
def test_hostile_values_are_one_diagnostic(text: str, code: str) -> None:
    """A value that cannot be taken is one error, and its text is never acted on."""
    node, found = parse(from_text(text))
    assert node is not None
    assert [item.code for item in found] == [code]
    assert len(str(found[0])) < 300
    node.data(legacy=True)


@pytest.mark.parametrize(
    ("text", "syntax", "code"),
    [
        ("", "json", "LR003"),
        ("[" * 1_000_000, "json", "LR004"),
        ('{"a":' * 100_000, "json", "LR004"),
        ("[" + "1," * 200_001 + "1]", "json", "LR004"),
        ("9" * 5000, "json", "LR004"),
        ("\0", "json", "LR002"),
        ('"' + "x" * 1_000_000, "json", "LR005"),
        ("# nothing\n", "toml", "LR003"),
        ("a = " + "{a = " * 100_000, "toml", "LR004"),
        ("[" + ".".join("a" * 100_000) + "]", "toml", "LR004"),
        ("a = [" + "1," * 200_001 + "]", "toml", "LR004"),
        ("[[" * 100_000, "toml", "LR005"),
        ('a = "' + "\\" * 100_000, "toml", "LR005"),
    ],
)
def test_hostile_json_and_toml_are_one_diagnostic(text: str, syntax: Syntax, code: str) -> None:
    """The same limits hold in every syntax."""
    node, found = parse(from_text(text, syntax=syntax))
    assert node is None
    assert [item.code for item in found] == [code]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x7fELF\x02\x01\x01\0\0\0", "LR002"),
        (bytes(range(256)), "LR002"),
        ("a: 1\n".encode("utf-16"), "LR002"),
        (b"a: \xff\n", "LR002"),
        (b"a\0b", "LR002"),
        (b"", "LR003"),
    ],
)
def test_hostile_files_are_one_diagnostic(tmp_path: Path, data: bytes, code: str) -> None:
    """Binary and wrongly encoded files are told once."""
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    source, found = read(path)
    if source is not None:
        _, found = parse(source)
    assert [item.code for item in found] == [code]


def test_repeated_faults_are_bounded() -> None:
    """A generated file with one fault per line does not fill the memory with findings."""
    node, found = parse(from_text("a: 1\n" * 100_000))
    assert node is None
    assert len(found) == 1000


def test_depth_of_64_is_still_read() -> None:
    """The limit is exact."""
    for depth, fits in ((64, True), (65, False)):
        node, _ = parse(from_text("[" * depth + "]" * depth))
        assert (node is not None) is fits


def test_garbage_collection_is_as_before() -> None:
    """Reading pauses the collector and gives it back, also when it fails."""
    import gc

    for text in ("a: 1", "a: ["):
        parse(from_text(text))
        assert gc.isenabled()
    gc.disable()
    try:
        parse(from_text("a: 1"))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_hostile_includes_end_soon(tmp_path: Path) -> None:
    """Files that include many files that include many files stop at a limit."""
    for level in range(8):
        lines = "".join(f"- {level + 1}-{n}.yaml\n" for n in range(10))
        for n in range(10):
            (tmp_path / f"{level}-{n}.yaml").write_text(f"include:\n{lines}x: 1\n")
    source, _ = read(tmp_path / "0-0.yaml")
    assert source is not None
    node, _ = parse(source)
    assert node is not None
    _, found = expand(node, source, profile=None, environ={}, read_secrets=False)
    assert {item.code for item in found} == {"LR004", "LR001"}
    assert len(found) < 1000


def test_variables_cannot_fill_the_memory() -> None:
    """A large variable used many times is stopped by the size limit."""
    source = from_text("a:\n" + "- ${X}\n" * 1000)
    node, _ = parse(source)
    assert node is not None
    environ = {"X": "x" * 100_000}
    _, found = expand(node, source, profile=None, environ=environ, read_secrets=False)
    assert [item.code for item in found] == ["LR004"]


def test_checking_opens_no_secret(tmp_path: Path) -> None:
    """With `read_secrets` off a `${file:...}` is not even looked at."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    source = from_text(f'a: "${{file:{fifo}}}"\n')
    node, _ = parse(source)
    assert node is not None
    node, found = expand(node, source, profile=None, environ={}, read_secrets=False)
    assert found == []
    assert node.value["a"].opaque
    assert node.value["a"].secret


def test_utf16_is_named(tmp_path: Path) -> None:
    """A file saved by Notepad as Unicode is told what to do."""
    _, found = from_bytes("version: 1\r\n".encode("utf-16"), "x.yaml")
    assert "UTF-16" in found[0].message
    assert found[0].help == "save it as UTF-8"
