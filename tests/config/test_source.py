"""Sources: what is opened, how it is decoded, and how a failure reads."""

import os
from pathlib import Path

import pytest

from logroute.config.source import (
    MAX_BYTES,
    Lines,
    from_bytes,
    from_dict,
    from_text,
    read,
    split_lines,
)


def test_path_gives_text_and_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is the path as given; the absolute path is kept for includes."""
    (tmp_path / "a.yaml").write_text("version: 1\n")
    monkeypatch.chdir(tmp_path)
    source, found = read("a.yaml")
    assert source is not None
    assert found == []
    assert (source.name, source.text, source.syntax) == ("a.yaml", "version: 1\n", "yaml")
    assert source.path == str(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("name", "syntax"), [("a.yml", "yaml"), ("a.JSON", "json"), ("a.toml", "toml"), ("a", "yaml")]
)
def test_suffix_decides_the_syntax(tmp_path: Path, name: str, syntax: str) -> None:
    """JSON and TOML are known by their suffix, anything else is YAML."""
    (tmp_path / name).write_text("{}")
    source, _ = read(tmp_path / name)
    assert source is not None
    assert source.syntax == syntax


def test_line_break_makes_a_string_text() -> None:
    """A str with a line break is the config itself."""
    source, found = read("version: 1\n")
    assert found == []
    assert source == from_text("version: 1\n")
    assert source is not None
    assert source.name == "<text>"


def test_mapping_is_a_source() -> None:
    """A dict travels as it is."""
    data = {"version": 1}
    source, _ = read(data)
    assert source == from_dict(data)
    assert source is not None
    assert source.data is data


def test_ini_files_are_sent_elsewhere(tmp_path: Path) -> None:
    """An INI file gets one diagnostic that says what to do."""
    source, found = read(tmp_path / "logging.ini")
    assert source is None
    assert [item.code for item in found] == ["LR001"]
    assert "fileConfig" in found[0].message
    assert "YAML" in (found[0].help or "")


def test_missing_file_suggests_a_near_name(tmp_path: Path) -> None:
    """A misspelt path is answered with the name that is there."""
    (tmp_path / "logging.yaml").write_text("version: 1\n")
    source, found = read(tmp_path / "loging.yaml")
    assert source is None
    assert [item.code for item in found] == ["LR001"]
    assert "no such file" in found[0].message
    assert found[0].help == f"did you mean `{tmp_path}/logging.yaml`?"


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """When the directory is not there, no name in it can be suggested."""
    _, found = read(tmp_path / "nowhere" / "logging.yaml")
    assert found[0].help == f"the directory `{tmp_path}/nowhere` does not exist"


def test_text_without_line_break_is_explained() -> None:
    """One line of YAML given as a path says how to give a text."""
    _, found = read("version: 1")
    assert [item.code for item in found] == ["LR001"]
    assert "line break" in (found[0].help or "")


@pytest.mark.parametrize("kind", ["directory", "FIFO", "device", "socket"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    """Nothing that could block or act is opened."""
    import socket

    path = tmp_path / "x.yaml"
    listener = socket.socket(socket.AF_UNIX)
    if kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        listener.bind(str(path))
    source, found = read("/dev/zero" if kind == "device" else path)
    listener.close()
    assert source is None
    assert [item.code for item in found] == ["LR001"]
    assert kind in found[0].message


def test_forbidden_file_is_one_diagnostic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission denied is told as such, without a traceback."""
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\n")

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # chmod means nothing to root
    _, found = read(path)
    assert [item.code for item in found] == ["LR001"]
    assert "permission denied" in found[0].message


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "\ud800.yaml", ""])
def test_impossible_path_is_one_diagnostic(path: str) -> None:
    """Paths that no system takes are diagnostics, not exceptions."""
    source, found = read(path)
    assert source is None
    assert [item.code for item in found] == ["LR001"]
    str(found[0]).encode()


def test_large_file_is_not_read(tmp_path: Path) -> None:
    """No more than the limit is read, and exactly the limit is fine."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert read(path)[1] == []
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    source, found = read(path)
    assert source is None
    assert [item.code for item in found] == ["LR004"]


@pytest.mark.parametrize(
    ("data", "place", "word"),
    [
        (b"a: 1\nb: \xff\n", (2, 4), "0xff"),
        ("ä: ü\r\n日本 x".encode() + b"\xe9\n", (2, 5), "0xe9"),
        (b"\xef\xbb\xbfa: \xc3", (1, 4), "0xc3"),
        (b"version: 1\nx: 'a\0b'\n", (2, 6), "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", (1, 1), "not a text file"),
        ("version: 1\n".encode("utf-16"), (1, 1), "UTF-16"),
        ("version: 1\n".encode("utf-16-le"), (1, 1), "UTF-16"),
        ("version: 1\n".encode("utf-16-be"), (1, 1), "UTF-16"),
        ("version: 1\n".encode("utf-32"), (1, 1), "UTF-32"),
    ],
)
def test_bad_bytes_have_a_place(data: bytes, place: tuple[int, int], word: str) -> None:
    """What is not UTF-8 text is told with line and column, in characters."""
    source, found = from_bytes(data, "x.yaml")
    assert source is None
    assert [item.code for item in found] == ["LR002"]
    assert (found[0].span.line, found[0].span.column) == place
    assert word in found[0].message


def test_byte_order_mark_is_dropped() -> None:
    """A mark at the start is no part of the text, in bytes or in a str."""
    source, _ = from_bytes(b"\xef\xbb\xbfa: 1", "x")
    assert source is not None
    assert source.text == from_text("\ufeffa: 1").text == "a: 1"


def test_lines_are_those_of_editors() -> None:
    """LF, CRLF and CR end lines; U+2028 and form feed do not."""
    text = "a\r\nb\rc\u2028d\x0ce\nf"
    assert split_lines(text) == ["a", "b", "c\u2028d\x0ce", "f"]
    assert Lines(text).place(text.index("e")) == (3, 5)
    assert Lines(text).place(len(text)) == (4, 2)
