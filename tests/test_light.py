"""The stand-ins of `typing.NamedTuple` and `typing.Annotated`."""

import copy
import pickle
import typing

import pytest

from logroute.diagnostics import Severity, Span, error
from logroute.light import NamedTuple, TypeVar
from logroute.options import Duration, Opt, Spec, options_of
from logroute.routing import Outcome, Route

PLACE = Span("a.yaml", 1, 2, 3, 4)


class Point(NamedTuple):
    """A named tuple of ours."""

    x: int
    y: int = 7

    @property
    def total(self) -> int:
        """Both together."""
        return self.x + self.y


class StdPoint(typing.NamedTuple):
    """The same, of typing."""

    x: int
    y: int = 7


@pytest.mark.parametrize(
    "args", [((1,), {}), ((1, 2), {}), ((), {"y": 3, "x": 1}), ((1,), {"y": 3})]
)
def test_tuples_are_made_as_typing_makes_them(args):
    """By place, by name, and with defaults."""
    places, names = args
    mine, std = Point(*places, **names), StdPoint(*places, **names)
    assert tuple(mine) == tuple(std) == (mine.x, mine.y)
    assert repr(mine) == repr(std).removeprefix("Std")
    assert mine._asdict() == std._asdict()


@pytest.mark.parametrize(
    "args", [((), {}), ((1, 2, 3), {}), ((1,), {"x": 2}), ((1,), {"z": 2}), ((1, 2), {"y": 3})]
)
def test_wrong_arguments_are_refused(args):
    """A field that is missing, unknown, or given twice is a TypeError, as in typing."""
    places, names = args
    for kind in (Point, StdPoint):
        with pytest.raises(TypeError):
            kind(*places, **names)


def test_tuples_can_be_changed_copied_and_pickled():
    """What becomes of a tuple is of its own class again."""
    point = Point(1)
    changed = point._replace(y=2)
    assert (changed, type(changed), changed.total) == ((1, 2), Point, 3)
    for twin in (pickle.loads(pickle.dumps(point)), copy.deepcopy(point), copy.copy(point)):
        assert (twin, type(twin)) == (point, Point)
    with pytest.raises(ValueError, match="unexpected field"):
        point._replace(z=1)


def test_tuples_are_frozen_and_match():
    """They have no other attributes, and patterns know the order of the fields."""
    with pytest.raises(AttributeError):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Span("f", 1, 1, 1, 1).line = 2  # type: ignore[misc]
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_findings_are_equal_by_value():
    """A diagnostic is a tuple: it compares, hashes and pickles as one."""
    fault = error("LR103", "must be text", PLACE)
    assert fault == error("LR103", "must be text", Span(*PLACE))
    assert len({fault, fault._replace(severity=Severity.ERROR)}) == 1
    assert pickle.loads(pickle.dumps(fault)) == fault
    assert Outcome._fields
    assert Route._fields[:2] == ("label", "matcher")


class Mixed(Spec):
    """Options written with typing's own `Annotated`, as other packages do, and with unions."""

    a: typing.Annotated[int | None, Opt("A number.", minimum=1)] = None
    b: typing.Annotated[Duration | None, Opt("A time.")] = None
    d: typing.Annotated[tuple[Duration, ...], Opt("Times.")] = ()


def test_annotations_of_both_kinds_are_understood():
    """A spec of another package may use typing's, with our types in it."""
    table = options_of(Mixed)
    assert [table[key].nullable for key in "abd"] == [True, True, False]
    assert table["b"].shape is table["d"].shape.item


def test_type_variables_take_what_those_of_typing_take():
    """A name, types to choose from, a bound: all of it is for type checkers."""
    assert repr(TypeVar("T", str, bytes)) == "typing.T"
    assert repr(TypeVar("T", bound=int)) == "typing.T"
