"""Examples: the `tests:` of a config and of the test files beside it, found and run.

`logroute test` and the pytest plugin share this. Nothing is opened but the files
themselves. Runs in whatever thread asks.
"""

import re
from collections.abc import Iterator, Mapping

from logroute.app.explain import Explainer
from logroute.app.explanation import Explanation
from logroute.app.outputs import UnknownOutputError
from logroute.app.specimen import set_time
from logroute.config.model import OutputSpec, TestSpec
from logroute.config.nodes import Node
from logroute.diagnostics import Span
from logroute.errors import ConfigError
from logroute.light import Any, NamedTuple
from logroute.records import copy_of

__all__ = ["Example", "Failure", "Verdict", "describe", "run"]


class Example(NamedTuple):
    """One test: its name, what it says, and where that stands.

    Attributes:
        name: the name in the file, or ``tests[2]``.
        spec: the record and what is expected of it.
        node: the same with its places.
        file: the file it stands in, as it was named.
    """

    name: str
    spec: TestSpec
    node: Node
    file: str

    @property
    def id(self) -> str:
        """What the test is called everywhere: ``logging.yaml::a name``."""
        return f"{self.file}::{self.name}"

    def place(self, *path: str | int) -> Span:
        """Return the place of the key that `path` leads to, or of what it is in."""
        for length in range(len(path), 0, -1):
            owner = self.node.at(path[: length - 1])
            if owner is not None and path[length - 1] in owner.keys:
                return owner.keys[str(path[length - 1])]
        return self.node.span


class Failure(NamedTuple):
    """One thing that a test expected in vain.

    Attributes:
        key: what did not hold, such as ``to`` or ``output.console.equals``.
        place: where the file expects it.
        message: what is wrong, in one sentence.
        expected: what was to be: names of handlers, or a text.
        got: what is.
        help: what would be right, where that is known.
    """

    key: str
    place: Span
    message: str
    expected: tuple[str, ...] | str | None = None
    got: tuple[str, ...] | str | None = None
    help: str | None = None

    @property
    def missing(self) -> list[str]:
        """The names that were expected and are not there."""
        if not isinstance(self.expected, tuple) or self.key == "excludes":
            return []
        return [name for name in self.expected if name not in (self.got or ())]

    @property
    def unexpected(self) -> list[str]:
        """The names that are there and should not be."""
        if not isinstance(self.got, tuple) or not isinstance(self.expected, tuple):
            return []
        if self.key == "excludes":
            return [name for name in self.got if name in self.expected]
        return [name for name in self.got if name not in self.expected] if self.key == "to" else []


class Verdict(NamedTuple):
    """What running one test showed; `told` is None where there is no such record."""

    example: Example
    told: Explanation | None
    failures: tuple[Failure, ...]

    @property
    def is_good(self) -> bool:
        """Whether all that was expected holds."""
        return not self.failures


def run(example: Example, explainer: Explainer) -> Verdict:
    """Return what becomes of the record of `example`, held against what it expects."""
    try:
        told = explainer.explain(explainer.record(example.spec.record))
    except ConfigError as fault:  # an import that was asked for
        failure = Failure("record", example.place("record"), str(fault))
        return Verdict(example, None, (failure,))
    except ValueError as fault:
        cure = str(fault.args[1]) if len(fault.args) > 1 and fault.args[1] else None
        failure = Failure("record", example.place("record"), str(fault.args[0]), help=cure)
        return Verdict(example, None, (failure,))
    return Verdict(example, told, tuple(_failures(example, told)))


def _failures(example: Example, told: Explanation) -> Iterator[Failure]:
    expect = example.spec.expect
    is_empty = expect.to is None and expect.dropped is None
    if is_empty and not (expect.includes or expect.excludes or expect.output):
        cure = "say where the record goes: `to`, `includes`, `excludes`, `dropped` or `output`"
        yield Failure("expect", example.place("expect"), "the test expects nothing", help=cure)
    got = told.reaches
    if expect.to is not None and set(expect.to) != set(got):
        message = "the record goes elsewhere"
        yield Failure("to", example.place("expect", "to"), message, expect.to, got)
    if not set(expect.includes) <= set(got):
        place = example.place("expect", "includes")
        yield Failure("includes", place, "not all of them get the record", expect.includes, got)
    if not set(expect.excludes).isdisjoint(got):
        place = example.place("expect", "excludes")
        yield Failure("excludes", place, "some of them get the record", expect.excludes, got)
    if expect.dropped is not None and expect.dropped is not told.is_dropped:
        yield _not_dropped(example, told)
    for handler, output in expect.output.items():
        yield from _output_failures(example, told, handler, output)


def _not_dropped(example: Example, told: Explanation) -> Failure:
    place = example.place("expect", "dropped")
    if told.is_dropped:
        return Failure("dropped", place, "the record is dropped")
    if told.to_stderr:
        cure = "a route with `to: []`, or `unmatched: drop`, keeps it quiet"
        message = "the record is not dropped: no route wants it, so it is shown on stderr"
        return Failure("dropped", place, message, help=cure)
    return Failure("dropped", place, "the record is not dropped", (), told.reaches)


def _output_failures(
    example: Example, told: Explanation, handler: str, spec: OutputSpec
) -> Iterator[Failure]:
    path = ("expect", "output", handler)
    key = f"output.{handler}"
    if handler not in told.reaches:
        message = f"`{handler}` does not get the record"
        yield Failure(key, example.place(*path), message)
        return
    try:
        text = told.output(handler)
    except (UnknownOutputError, ConfigError) as fault:
        message = f"what `{handler}` writes cannot be told: {fault}"
        yield Failure(key, example.place(*path), message)
        return
    if spec.equals is not None and spec.equals.removesuffix("\n") != text:
        cure = _time_cure(example, told, handler, text)
        place, message = example.place(*path, "equals"), f"`{handler}` writes something else"
        yield Failure(f"{key}.equals", place, message, spec.equals, text, cure)
    for part in spec.contains:
        if part not in text:
            message = f"`{handler}` writes nothing like it"
            yield Failure(f"{key}.contains", example.place(*path, "contains"), message, part, text)
    for part in spec.excludes:
        if part in text:
            message = f"`{handler}` writes it"
            yield Failure(f"{key}.excludes", example.place(*path, "excludes"), message, part, text)
    if spec.matches is not None:
        yield from _mismatch(example, handler, spec.matches, text)


def _mismatch(example: Example, handler: str, pattern: str, text: str) -> Iterator[Failure]:
    key, place = f"output.{handler}.matches", example.place("expect", "output", handler, "matches")
    try:
        found = re.search(pattern, text)
    except (re.error, OverflowError, RecursionError) as fault:
        yield Failure(key, place, f"this is not a regular expression: {fault}")
        return
    if found is None:
        yield Failure(key, place, f"`{handler}` writes nothing like it", pattern, text)


def _time_cure(example: Example, told: Explanation, handler: str, text: str) -> str | None:
    """Return what to do where the output tells the time, which the test leaves open."""
    if example.spec.record.time is not None:
        return None
    for arrival in told.arrivals:
        if arrival.handler == handler and arrival.record is not None:
            later = copy_of(arrival.record)
            set_time(later, later.created + 100_000.125)
            if told.output_of(handler, later) != text:
                return "it tells the time: give the record a `time`, or use `contains`"
    return None


# -- in words


def describe(verdict: Verdict, *, is_colored: bool = False) -> list[str]:
    """Return the lines that say what did not hold, and where the record goes instead."""
    lines: list[str] = []
    for failure in verdict.failures:
        lines += _described(failure, is_colored)
    if verdict.told is not None:
        from logroute.app.explanation import narrate

        lines += narrate(verdict.told, is_colored=is_colored)
    return lines


def _described(failure: Failure, is_colored: bool) -> Iterator[str]:
    from logroute.app.explanation import printable

    place = printable(str(failure.place))
    head = f"\x1b[31m{place}\x1b[0m" if is_colored else place
    yield f"{head}: `{printable(failure.key)}`: {printable(failure.message)}"
    rows: Mapping[str, Any] = {
        "expected": failure.expected,
        "got": failure.got,
        "missing": tuple(failure.missing) or None,
        "unexpected": tuple(failure.unexpected) or None,
    }
    if failure.key.endswith("excludes"):
        rows = {"excluded" if name == "expected" else name: row for name, row in rows.items()}
    for name, value in rows.items():
        if isinstance(value, tuple):
            yield f"  {name + ':':<11} {printable(', '.join(value)) or 'nothing'}"
        elif value is not None and "\n" in value:
            yield f"  {name}:"
            yield from (f"  | {printable(line)}" for line in value.splitlines())
        elif value is not None:
            yield f"  {name + ':':<11} {printable(value)}"
    if failure.help:
        yield f"  help: {failure.help}"
