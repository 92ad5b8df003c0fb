"""Match conditions: as written (`MatchSpec`) and compiled (`Matcher`).

A matcher is a list of named conditions that must all hold. The same list
answers the live process (`matches`), `explain` (`first_failing`) and the
unreachable-route check (`holds_for`).
"""

import logging
import operator
import re
from collections.abc import Callable, Mapping

from logroute.levels import Levels, LevelSet
from logroute.light import Annotated, Any, NamedTuple
from logroute.options import EMPTY, Level, Opt, Spec
from logroute.records import exception_names, message_of
from logroute.shapes import Parsed

__all__ = ["Condition", "FieldSpec", "MatchSpec", "Matcher", "Probe", "compile_match"]


def _parse_exception(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value.strip()):
        return value
    raise ValueError("must be true, false or the name of an exception class")


ExceptionName = Annotated[
    bool | str,
    Parsed("exception", _parse_exception, {"type": ["boolean", "string"], "pattern": r"\S"}),
]


class FieldSpec(Spec):
    """Tests of one field; all of them must hold. A missing field fails but for `exists: false`."""

    eq: Annotated[object, Opt("Equal to this.")] = None
    ne: Annotated[object, Opt("Not equal to this.")] = None
    gt: Annotated[float | None, Opt("Greater than this.")] = None
    gte: Annotated[float | None, Opt("This or greater.")] = None
    lt: Annotated[float | None, Opt("Less than this.")] = None
    lte: Annotated[float | None, Opt("This or less.")] = None
    one_of: Annotated[tuple[object, ...] | None, Opt("Equal to one of these.", key="in")] = None
    contains: Annotated[str | None, Opt("Text that contains this.")] = None
    regex: Annotated[str | None, Opt("Text in which this regular expression is found.")] = None
    exists: Annotated[bool | None, Opt("Whether the record has the field.")] = None


class MatchSpec(Spec):
    """Conditions on a record; all keys must hold, no key matches everything."""

    level: Annotated[
        tuple[Level, ...],
        Opt(
            "`ERROR` (and above), `=ERROR`, `<WARNING`, `>=30`, `DEBUG..INFO`; a list: any of it.",
            single=True,
        ),
    ] = ()
    logger: Annotated[
        tuple[str, ...],
        Opt("That logger and its children; globs such as `app.*.db`; a list: any.", single=True),
    ] = ()
    message: Annotated[str | None, Opt("Regular expression that is found in the message.")] = None
    fields: Annotated[
        Mapping[str, FieldSpec | object],
        Opt("Tests of record attributes, `extra` and context."),
    ] = EMPTY
    exception: Annotated[
        tuple[ExceptionName, ...],
        Opt("true: the record has an exception; names: one of these classes.", single=True),
    ] = ()
    any: "Annotated[tuple[MatchSpec, ...], Opt('At least one of these holds.')]" = ()
    all: "Annotated[tuple[MatchSpec, ...], Opt('All of these hold.')]" = ()
    negate: "Annotated[MatchSpec | None, Opt('This does not hold.', key='not')]" = None


class Probe(NamedTuple):
    """Stands for every record of one logger and level."""

    name: str
    levelno: int


class Condition(NamedTuple):
    """One key of a match.

    `test` takes a record; where `by_name_and_level` is true it reads nothing of
    the record but `name` and `levelno`, so a `Probe` will do.
    """

    label: str
    test: Callable[[Any], bool]
    by_name_and_level: bool


class Matcher:
    """A compiled match: true where every condition holds."""

    __slots__ = ("by_content", "by_name_and_level", "conditions")

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        """Split `conditions` by what they must see of a record."""
        self.conditions = conditions
        self.by_name_and_level = tuple(c for c in conditions if c.by_name_and_level)
        self.by_content = tuple(c for c in conditions if not c.by_name_and_level)

    def holds_for(self, probe: Probe) -> bool:
        """Return whether a record of this logger and level can match at all."""
        return all(condition.test(probe) for condition in self.by_name_and_level)

    def matches(self, record: logging.LogRecord) -> bool:
        """Return whether `record` matches."""
        return all(condition.test(record) for condition in self.conditions)

    def first_failing(self, record: logging.LogRecord) -> Condition | None:
        """Return the first condition that does not hold, cheap ones first."""
        for condition in self.by_name_and_level + self.by_content:
            if not condition.test(record):
                return condition
        return None


def compile_match(spec: MatchSpec, levels: Levels) -> Matcher:
    """Compile `spec`.

    Raises:
        ValueError: an unknown level or a bad regular expression.
    """
    found: list[Condition] = []
    if spec.level:
        found.append(_level_condition(levels.parse_set(spec.level), levels))
    if spec.logger:
        found.append(Condition(f"logger: {_words(spec.logger)}", _logger_test(spec.logger), True))
    if spec.exception:
        found.append(
            Condition(
                f"exception: {_words(spec.exception)}", _exception_test(spec.exception), False
            )
        )
    for name, test in spec.fields.items():
        found.append(_field_condition(name, test))
    if spec.message is not None:
        pattern = _regex(spec.message)
        found.append(
            Condition(
                f"message: {spec.message}",
                lambda record: pattern.search(message_of(record)) is not None,
                False,
            )
        )
    found += _nested_conditions(spec, levels)
    return Matcher(tuple(found))


def _nested_conditions(spec: MatchSpec, levels: Levels) -> list[Condition]:
    found = []
    if spec.any:
        inner = [compile_match(item, levels) for item in spec.any]
        found.append(
            Condition(
                "any",
                lambda record: any(one.matches(record) for one in inner),
                not any(one.by_content for one in inner),
            )
        )
    for item in spec.all:
        found += compile_match(item, levels).conditions
    if spec.negate is not None:
        negated = compile_match(spec.negate, levels)
        found.append(
            Condition(
                f"not {{{', '.join(c.label for c in negated.conditions)}}}",
                lambda record: not negated.matches(record),
                not negated.by_content,
            )
        )
    return found


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"`{text[:80]}` is not a regular expression: {fault}") from None


def _words(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values)


def _level_condition(wanted: LevelSet, levels: Levels) -> Condition:
    intervals = wanted.intervals
    if len(intervals) == 1:
        low, high = intervals[0]

        def test(record: Any) -> bool:
            return bool(low <= record.levelno <= high)

    else:

        def test(record: Any) -> bool:
            return record.levelno in wanted

    return Condition(f"level: {levels.describe(wanted)}", test, True)


def glob_to_regex(glob: str) -> str:
    """Return the regular expression of a logger glob: `*` is one dotted part, `**` any number."""
    parts = []
    for part in re.split(r"(\*\*|\*|\?)", glob):
        parts.append({"**": ".*", "*": r"[^.]*", "?": r"[^.]"}.get(part) or re.escape(part))
    return "".join(parts) + r"(?:\..*)?"


def _logger_test(names: tuple[str, ...]) -> Callable[[Any], bool]:
    exact = frozenset(name for name in names if not is_glob(name))
    if "root" in exact or "" in exact:
        exact |= {"root"}
    prefixes = tuple(f"{name}." for name in exact if name)
    globs = [glob_to_regex(name) for name in names if is_glob(name)]
    pattern = re.compile("|".join(globs)) if globs else None

    def test(record: Any) -> bool:
        name = record.name
        if name in exact or name.startswith(prefixes):
            return True
        return pattern is not None and pattern.fullmatch(name) is not None

    return test


def is_glob(name: str) -> bool:
    """Return whether a logger name in a match has wildcards."""
    return "*" in name or "?" in name


def _exception_test(names: tuple[bool | str, ...]) -> Callable[[Any], bool]:
    wanted = frozenset(name for name in names if isinstance(name, str))

    def test(record: Any) -> bool:
        has_one = bool(record.exc_info and record.exc_info[0])
        if (True in names and has_one) or (False in names and not has_one):
            return True
        return has_one and not wanted.isdisjoint(exception_names(record))

    return test


_MISSING: Any = object()


def _field_condition(name: str, spec: object) -> Condition:
    tests = _field_tests(spec) if isinstance(spec, FieldSpec) else [_equals(spec)]
    wants_missing = isinstance(spec, FieldSpec) and spec.exists is False

    def test(record: Any) -> bool:
        value = _field(record, name)
        if value is _MISSING or wants_missing:
            return value is _MISSING and wants_missing
        try:
            return all(one(value) for one in tests)
        except Exception:  # a value whose comparison or text raises is not what was meant
            return False

    shown = (
        " ".join(f"{key} {value}" for key, value in spec.__dict__.items())
        if isinstance(spec, FieldSpec)
        else spec
    )
    return Condition(f"fields.{name}: {shown}", test, False)


def _field(record: Any, name: str) -> Any:
    """Return an attribute of the record; dots reach into mappings."""
    if name == "message":
        return message_of(record)
    value = record.__dict__.get(name, _MISSING)
    if value is _MISSING and "." in name:
        head, _, rest = name.partition(".")
        value = record.__dict__.get(head, _MISSING)
        for part in rest.split("."):
            value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


def _equals(wanted: object) -> Callable[[Any], bool]:
    return lambda value: (
        bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
    )


def _compares(holds: Callable[[Any, Any], bool], bound: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int | float) and holds(value, bound)


def _field_tests(spec: FieldSpec) -> list[Callable[[Any], bool]]:
    tests: list[Callable[[Any], bool]] = []
    given = spec.__dict__
    if "eq" in given:
        tests.append(_equals(spec.eq))
    if "ne" in given:
        equal = _equals(spec.ne)
        tests.append(lambda value: not equal(value))
    for bound, holds in (
        (spec.gt, operator.gt),
        (spec.gte, operator.ge),
        (spec.lt, operator.lt),
        (spec.lte, operator.le),
    ):
        if bound is not None:
            tests.append(_compares(holds, bound))
    if spec.one_of is not None:
        choices = [_equals(choice) for choice in spec.one_of]
        tests.append(lambda value: any(choice(value) for choice in choices))
    if spec.contains is not None:
        part = spec.contains
        tests.append(lambda value: isinstance(value, str) and part in value)
    if spec.regex is not None:
        pattern = _regex(spec.regex)
        tests.append(lambda value: pattern.search(str(value)) is not None)
    return tests
