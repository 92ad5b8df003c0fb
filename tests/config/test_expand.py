"""Includes, profiles and variables."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from logroute.config.expand import expand
from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.source import Source, from_dict, from_text, read
from logroute.diagnostics import Diagnostic


def run(
    what: str | Source,
    environ: Mapping[str, str] | None = None,
    profile: str | None = None,
    secrets: bool = True,
) -> tuple[Node, list[Diagnostic]]:
    """Parse and expand a text or source that parses without fault."""
    source = from_text(what, "x") if isinstance(what, str) else what
    node, found = parse(source)
    assert found == []
    assert node is not None
    return expand(node, source, profile=profile, environ=environ or {}, read_secrets=secrets)


def load(path: Path, **options: Any) -> tuple[Any, list[str]]:
    """Return data and findings of a file, each as ``name:line:col code``."""
    source, _ = read(path)
    assert source is not None
    node, found = run(source, **options)
    names = [
        f"{os.path.basename(item.span.file)}:{item.span.line}:{item.span.column}" for item in found
    ]
    return node.data(), [f"{name} {item.code}" for name, item in zip(names, found, strict=True)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("${env:A}", "1"),
        ("x ${A} ${A}y", "x 1 1y"),
        ("${NO:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("${NO:-}", ""),
        ("${env:NO:-a b}", "a b"),
        ("${NO:-http://x:1}", "http://x:1"),
        ("${var:region}", "eu"),
        ("${var:port}", "80"),
        ("${var:no:-d}", "d"),
        ("$${A} ${A}", "${A} 1"),
        ("${LOOP}", "${A}"),
        ("$A {A} $", "$A {A} $"),
    ],
)
def test_variables_become_texts(text: str, value: str) -> None:
    """Each form has its value, which is not looked at again."""
    environ = {"A": "1", "EMPTY": "", "LOOP": "${A}"}
    node, found = run(f"vars: {{region: eu, port: 80}}\na: '{text}'\n", environ)
    assert found == []
    assert node.data() == {"a": value}


def test_lone_variable_is_untyped() -> None:
    """What a whole scalar is, the wanted type decides; a part of a text is text."""
    node, _ = run("a: ${N}\nb: x${N}\nc: 12\n", {"N": "12"})
    assert [node.value[key].untyped for key in "abc"] == [True, False, False]
    assert node.value["a"].value == "12"
    assert node.data(legacy=True) == {"a": 12, "b": "x12", "c": 12}


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("a: ${NO}", 4, "`NO` is not set"),
        ("a: x ${env:NO} y", 6, "`NO` is not set"),
        ("a: 'x ${NO}'", 7, "`NO` is not set"),
        ('a: "\\u0041 ${NO}"', 4, "`NO` is not set"),
        ("a: ${var:regoin}", 4, "did you mean `region`?"),
        ("a: ${region}", 4, "${var:region}"),
        ("a: ${secret:x}", 4, "known here: `env`, `file`, `var`"),
        ("a: ${PORT:80}", 4, "${PORT:-...}"),
        ("a: ${}", 4, "not a variable"),
        ("a: ${a b}", 4, "not a variable"),
        ("a: x${A", 5, "not closed"),
        ("a: ${A:-${B}}", 4, "inside each other"),
        ("a: ${file:}", 4, "no file"),
        ("a: ${BAD}", 4, "not UTF-8"),
    ],
)
def test_missing_variable_has_its_place(text: str, column: int, word: str) -> None:
    """The error stands at the `${` itself, and the value is then unknown."""
    node, found = run(f"vars: {{region: eu}}\n{text}\n", {"BAD": "\udcff"})
    assert [(item.code, item.span.line, item.span.column) for item in found] == [
        ("LR203", 2, column)
    ]
    assert word in f"{found[0].message} {found[0].help}"
    assert node.value["a"].opaque


def test_keys_are_left_alone() -> None:
    """Variables stand in values only."""
    node, found = run("${A}: {'${B}': 1}\n")
    assert found == []
    assert node.data() == {"${A}": {"${B}": 1}}


def test_tests_and_own_keys_are_left_alone() -> None:
    """Examples and `x-*` keys keep what is written; `$schema` stays too."""
    text = "$schema: s\ntests: ['${NO}']\nx-base: {a: '${NO}'}\n"
    node, found = run(text)
    assert found == []
    assert node.data() == {"$schema": "s", "tests": ["${NO}"], "x-base": {"a": "${NO}"}}


def test_dollar_style_formats_keep_their_fields() -> None:
    """`${name}` is a record's field where the style says so, and only there."""
    node, found = run(
        "formatters:\n"
        "  a: {style: $, format: '${message} $${x} ${env:A}', datefmt: '${A}'}\n"
        "  b: {format: '${A}'}\n",
        {"A": "1"},
    )
    assert found == []
    assert node.data()["formatters"] == {
        "a": {"style": "$", "format": "${message} $${x} 1", "datefmt": "1"},
        "b": {"format": "1"},
    }


def test_shared_nodes_are_expanded_once() -> None:
    """An alias of a faulty value is no second fault, and the parsed tree stays as it was."""
    source = from_text("x-a: &a {p: '${NO}', q: '${A}'}\nb: *a\nc: [*a, *a]\n")
    node, _ = parse(source)
    assert node is not None
    before = node.data()
    new, found = expand(node, source, profile=None, environ={"A": "1"}, read_secrets=False)
    assert len(found) == 1
    assert node.data() == before
    assert new.value["b"] is new.value["c"].value[1]
    assert new.value["b"].value["q"].value == "1"
    assert new.value["x-a"] is node.value["x-a"]


def test_unchanged_tree_is_returned_itself() -> None:
    """Nothing to do means nothing copied."""
    source = from_text("a: {b: [1, x]}\n")
    node, _ = parse(source)
    assert node is not None
    new, _ = expand(node, source, profile=None, environ={}, read_secrets=True)
    assert new is node


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("${DB_PASSWORD}", True),
        ("x ${API_KEY} y", True),
        ("${SENTRY_DSN:-none}", True),
        ("${HOME}", False),
        ("${var:pw}", True),
        ("${var:plain}", False),
    ],
)
def test_secret_names_make_secrets(text: str, secret: bool) -> None:
    """A variable that sounds like a secret is one, also through `vars`."""
    environ = {"DB_PASSWORD": "p", "API_KEY": "k", "HOME": "h"}
    text = f"vars: {{pw: '${{DB_PASSWORD}}', plain: 1}}\na: '{text}'\n"
    node, found = run(text, environ)
    assert found == []
    assert node.value["a"].secret is secret


def test_secret_file_is_read(tmp_path: Path) -> None:
    """The text of a file, without its last line break, is a secret."""
    (tmp_path / "token").write_text("hunter2\n")
    (tmp_path / "a.yaml").write_text("a: ${file:token}\nb: 'Bearer ${file:token}'\n")
    source, _ = read(tmp_path / "a.yaml")
    assert source is not None
    node, found = run(source)
    assert found == []
    assert node.data() == {"a": "hunter2", "b": "Bearer hunter2"}
    assert node.value["a"].secret
    assert node.value["b"].secret
    assert "hunter2" not in repr(node.value["b"])


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "LR001"), (b"\xff", "LR002"), (b"a\0b", "LR002"), (b"x" * 70_000, "LR004")],
)
def test_unreadable_secret_is_told_without_it(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    """A secret file that cannot be used is one error at its place."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    _, found = run(f"a: ${{file:{path}}}\n")
    assert [(item.code, str(item.span)) for item in found] == [(code, "x:1:4")]


def test_unread_secret_is_opaque(tmp_path: Path) -> None:
    """Check does not open secrets: the value is unknown, and nothing is missing."""
    node, found = run(f"a: ${{file:{tmp_path}/none}}\nb: 'x ${{file:none}}'\n", secrets=False)
    assert found == []
    assert [(n.opaque, n.secret) for n in node.value.values()] == [(True, True)] * 2


def test_include_lies_under_the_file(tmp_path: Path) -> None:
    """Mappings are merged key by key, the rest is replaced, the including file wins."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "base.yaml").write_text(
        "include: more.json\nroot: {level: INFO, handlers: [a, b]}\nx: 1\n"
    )
    (tmp_path / "conf" / "more.json").write_text('{"x": 0, "y": {"z": 2}}')
    (tmp_path / "a.yaml").write_text("include: conf/base.yaml\nroot: {handlers: [c]}\n")
    data, found = load(tmp_path / "a.yaml")
    assert found == []
    assert data == {"root": {"level": "INFO", "handlers": ["c"]}, "x": 1, "y": {"z": 2}}


def test_later_includes_win_over_earlier(tmp_path: Path) -> None:
    """A list is laid from its first file to its last; the same file may come twice."""
    (tmp_path / "b.yaml").write_text("x: {p: 1, q: 1}\n")
    (tmp_path / "c.yaml").write_text("include: b.yaml\nx: {q: 2}\n")
    (tmp_path / "a.yaml").write_text("include: [b.yaml, c.yaml]\n")
    assert load(tmp_path / "a.yaml") == ({"x": {"p": 1, "q": 2}}, [])


def test_included_nodes_keep_their_file(tmp_path: Path) -> None:
    """A fault in an included file is told there."""
    (tmp_path / "b.yaml").write_text("\nx: ${NO}\n")
    (tmp_path / "a.yaml").write_text("include: b.yaml\n")
    _, found = load(tmp_path / "a.yaml")
    assert found == ["b.yaml:2:4 LR203"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "a.yaml:1:10 LR001"),
        (b"a: \xff", "b.yaml:1:4 LR002"),
        (b"a: [", "b.yaml:1:5 LR005"),
        (b"", "b.yaml:1:1 LR003"),
        (b"- a\n", "b.yaml:1:1 LR103"),
    ],
)
def test_broken_include_is_told_in_place(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    """A missing file is told where it is named, a broken one where it is broken."""
    (tmp_path / "a.yaml").write_text("include: b.yaml\nx: 1\n")
    if content is not None:
        (tmp_path / "b.yaml").write_bytes(content)
    assert load(tmp_path / "a.yaml") == ({"x": 1}, [expected])


def test_include_cycles_are_told(tmp_path: Path) -> None:
    """A file that comes back to itself is an error that shows the way."""
    (tmp_path / "a.yaml").write_text("include: b.yaml\n")
    (tmp_path / "b.yaml").write_text("x: 1\ninclude: [./a.yaml, b.yaml]\n")
    data, found = load(tmp_path / "a.yaml")
    assert found == ["b.yaml:2:11 LR204", "b.yaml:2:21 LR204"]
    assert data == {"x": 1}


def test_include_chain_is_at_most_8(tmp_path: Path) -> None:
    """Eight files may lie under each other, not nine."""
    for n in range(9):
        (tmp_path / f"{n}.yaml").write_text(f"include: {n + 1}.yaml\nx{n}: 1\n")
    (tmp_path / "9.yaml").write_text("end: 1\n")
    assert load(tmp_path / "1.yaml")[1] == []
    assert load(tmp_path / "0.yaml")[1] == ["8.yaml:1:10 LR004"]


def test_values_of_includes_are_counted_together(tmp_path: Path) -> None:
    """The limit of values holds for the whole config."""
    (tmp_path / "b.yaml").write_text("b: [" + "1," * 150_000 + "]\n")
    (tmp_path / "a.yaml").write_text("include: b.yaml\na: [" + "1," * 60_000 + "]\n")
    assert [item.split()[1] for item in load(tmp_path / "a.yaml")[1]] == ["LR004"]


def test_include_is_a_path_never_a_text(tmp_path: Path) -> None:
    """A line break in a path does not make it a config."""
    (tmp_path / "a.yaml").write_text('include: "x: 1\\ny: 2"\nz: 3\n')
    assert load(tmp_path / "a.yaml") == ({"z": 3}, ["a.yaml:1:10 LR001"])


PROFILES = """\
profiles:
  dev: {root: {level: DEBUG}, handlers: {mail: null, new: {a: null, b: 1}}}
  prod:
root: {level: INFO, x: 1}
handlers: {mail: 1, file: 2}
"""


def test_profile_is_laid_over_the_file() -> None:
    """The chosen overlay is merged in, and a null takes a key away."""
    node, found = run(PROFILES, profile="dev")
    assert found == []
    assert node.data() == {
        "root": {"level": "DEBUG", "x": 1},
        "handlers": {"file": 2, "new": {"b": 1}},
    }


def test_environment_chooses_a_profile() -> None:
    """LOGROUTE_PROFILE counts where nothing is asked for."""
    environ = {"LOGROUTE_PROFILE": "dev"}
    assert run(PROFILES, environ)[0].data()["root"]["level"] == "DEBUG"
    assert run(PROFILES, environ, profile="prod")[0].data()["root"]["level"] == "INFO"
    assert run("a: 1\n", environ)[1] == []


@pytest.mark.parametrize(
    ("text", "profile", "environ", "word"),
    [
        (PROFILES, "devv", {}, "did you mean `dev`?"),
        (PROFILES, None, {"LOGROUTE_PROFILE": "prd"}, "LOGROUTE_PROFILE"),
        ("a: 1\n", "dev", {}, "no `profiles`"),
    ],
)
def test_unknown_profile_is_an_error(
    text: str, profile: str | None, environ: dict[str, str], word: str
) -> None:
    """A profile that is not there is told, with the near name."""
    node, found = run(text, environ, profile)
    assert [item.code for item in found] == ["LR205"]
    assert word in f"{found[0].message} {found[0].help}"
    assert "profiles" not in node.value


def test_profiles_and_vars_come_from_includes_too(tmp_path: Path) -> None:
    """Includes are laid first, so their profiles and variables count."""
    (tmp_path / "b.yaml").write_text("vars: {r: eu}\nprofiles: {dev: {vars: {r: us}}}\n")
    (tmp_path / "a.yaml").write_text("include: b.yaml\nx: ${var:r}\n")
    assert load(tmp_path / "a.yaml") == ({"x": "eu"}, [])
    assert load(tmp_path / "a.yaml", profile="dev") == ({"x": "us"}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("include: {a: 1}", ("LR103", "1:10")),
        ("include: [1]", ("LR103", "1:11")),
        ("profiles: [a]", ("LR103", "1:11")),
        ("profiles: {a: 1}", ("LR103", "1:15")),
        ("profiles: {a: {include: x}}", ("LR101", "1:16")),
        ("vars: [a]\nb: '${var:x}'", ("LR103", "1:7")),
        ("vars: {a: [1]}\nb: '${var:a}'", ("LR103", "1:11")),
        ("vars: {a: 1, b: '${var:a}'}\nc: '${var:b}'", ("LR203", "1:18")),
    ],
)
def test_wrong_shapes_have_their_place(text: str, expected: tuple[str, str]) -> None:
    """What these keys hold is checked here, once."""
    node, found = run(text + "\nz: 1\n")
    assert [(item.code, str(item.span).removeprefix("x:")) for item in found] == [expected]
    assert not {"include", "profiles", "vars"} & set(node.value)


def test_dicts_are_expanded_too() -> None:
    """A dict source may use variables; its objects pass through."""
    stream = object()
    source = from_dict({"a": "${A}", "b": stream, "c": ("${A}", 1), "vars": {"x": 1}})
    node, found = run(source, {"A": "1"})
    assert found == []
    assert node.data() == {"a": "1", "b": stream, "c": ("1", 1)}
