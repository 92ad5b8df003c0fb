"""Options: what a spec is, and what its annotations say."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import pytest

from logroute.options import EMPTY, Duration, Level, Opt, Size, Spec, options_of
from logroute.shapes import Choice, Either, Flag, Many, Nested, Parsed, Table, Text


class Inner(Spec):
    """An inner part."""

    port: Annotated[int, Opt("Port.", minimum=1)] = 25


class Outer(Spec):
    """A part with every shape."""

    kind: ClassVar[str] = "outer"
    host: Annotated[str, Opt("Name of the host.", pattern=r"\S+", expects="must be a name")]
    password: Annotated[str | None, Opt("Secret.", secret=True)] = None
    mode: Annotated[Literal["a", "b"], Opt("Mode.")] = "a"
    to: Annotated[tuple[str, ...], Opt("Names.", single=True, minimum=1)] = ()
    sender: Annotated[str, Opt("Sender.", key="from")] = "x"
    size: Annotated[Size, Opt("Size.")] = 1
    wait: Annotated[Duration | None, Opt("Wait.")] = None
    level: Annotated[Level, Opt("Level.")] = 0
    verbose: Annotated[bool, Opt("More.")] = False
    values: Annotated[Mapping[str, int], Opt("Values.")] = EMPTY
    inner: Annotated[Inner, Opt("Inner.")] = Inner()
    short: Annotated[Inner | bool, Opt("Short or long.")] = False
    later: Annotated[int, Opt("Later.", planned=True)] = 0
    internal: int = 0


class Tree(Spec):
    """A part that holds its like."""

    children: "Annotated[tuple[Tree, ...], Opt('Children.')]" = ()


def test_annotations_become_options():
    """Annotated attributes are options under their keys; others are not."""
    table = options_of(Outer)
    assert "from" in table
    assert not {"sender", "internal", "kind"} & set(table)
    assert [key for key, option in table.items() if option.required] == ["host"]
    assert [key for key, option in table.items() if option.secret] == ["password"]
    assert [key for key, option in table.items() if option.planned] == ["later"]
    assert table["size"].default == 1


def test_types_become_shapes():
    """Each kind of annotation has its shape."""
    shapes = {key: type(option.shape) for key, option in options_of(Outer).items()}
    assert shapes["host"] is Text
    assert shapes["mode"] is Choice
    assert shapes["to"] is Many
    assert {shapes["size"], shapes["wait"], shapes["level"]} == {Parsed}
    assert shapes["verbose"] is Flag
    assert shapes["values"] is Table
    assert shapes["inner"] is Nested
    assert shapes["short"] is Either


def test_a_spec_may_mention_itself():
    """A recursive annotation, written as text, is resolved."""
    shape = options_of(Tree)["children"].shape
    assert isinstance(shape, Many)
    assert isinstance(shape.item, Nested)
    assert shape.item.spec is Tree


@pytest.mark.parametrize("values", [{}, {"host": "h", "hosts": "x"}, {"host": "h", "kind": "x"}])
def test_missing_and_unknown_options_are_refused(values):
    """A spec cannot be made without what it needs or with what it does not know."""
    with pytest.raises(TypeError):
        Outer(**values)


def test_specs_are_frozen():
    """Nobody changes a spec; `replace` makes another one."""
    spec = Outer(host="h")
    with pytest.raises(AttributeError):
        spec.host = "x"
    with pytest.raises(AttributeError):
        del spec.host
    assert spec.replace(mode="b") == Outer(host="h", mode="b")
    assert spec.mode == "a"


def test_secrets_are_veiled():
    """A repr never shows a secret, however deep the spec sits."""
    spec = Outer(host="h", password="hunter2")
    assert "hunter2" not in repr(spec)
    assert "hunter2" not in repr([{"a": spec}])
    assert "h" in repr(spec)


def test_written_defaults_change_nothing():
    """An option set to its default makes an equal spec with an equal hash."""
    plain, written = Outer(host="h"), Outer(host="h", mode="a", values={}, inner=Inner(port=25))
    assert plain == written
    assert hash(plain) == hash(written)
    assert len({plain, written, Outer(host="h", mode="b")}) == 2


def test_other_classes_are_never_equal():
    """Specs of different classes differ, even without options set."""
    assert Inner() != Tree()
    assert Inner() != 5


def test_parsed_shapes_say_what_they_expect():
    """The sentence of a parser is there without a wrong value."""
    shape = options_of(Outer)["wait"].shape
    assert isinstance(shape, Parsed)
    assert "such as `5s`" in shape.expects
