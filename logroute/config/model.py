"""The frozen model of a file: what decoding yields and building takes.

Names of levels, handlers, formatters and filters are still words here; the
rules see to it that they mean something.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from logroute.delivery.specs import (
    BatchSpec,
    BreakerSpec,
    DeadLetterSpec,
    QueueSpec,
    RetrySpec,
    SpoolSpec,
)
from logroute.filters import FilterSpec
from logroute.formatters import FormatterSpec
from logroute.matchers import MatchSpec
from logroute.options import EMPTY, Duration, Level, Opt, Spec
from logroute.sinks import SinkSpec

__all__ = [
    "Config",
    "Foreign",
    "HandlerSpec",
    "LoggerSpec",
    "NetworkHandlerSpec",
    "ReloadSpec",
    "RouteSpec",
    "StatsSpec",
    "TestSpec",
]


class Foreign(Spec):
    """A part written stdlib's way (`class` or `()`), as plain data for `DictConfigurator`."""

    entry: Annotated[Mapping[str, object], Opt("The mapping as written.")]


class HandlerSpec(Spec):
    """What every handler of ours may say, whatever its kind."""

    sink: SinkSpec | Foreign
    level: Annotated[Level, Opt("Records below it are not for this handler.")] = 0
    filters: Annotated[tuple[str, ...], Opt("Names of filters, in order.", single=True)] = ()
    formatter: Annotated[str | None, Opt("Name of a formatter.")] = None
    queue: Annotated[QueueSpec | None, Opt("How records wait.")] = None


class NetworkHandlerSpec(HandlerSpec):
    """What a handler may say whose destination is on a network."""

    batch: Annotated[BatchSpec, Opt("How many records go out together.")] = BatchSpec()
    retry: Annotated[RetrySpec, Opt("When to try again.")] = RetrySpec()
    breaker: Annotated[
        BreakerSpec | None, Opt("When to stop trying for a while.", planned=True)
    ] = None
    fallback: Annotated[
        str | None, Opt("Handler that takes what could not be delivered.", planned=True)
    ] = None
    dead_letter: Annotated[
        DeadLetterSpec | None, Opt("Where refused records are kept.", planned=True)
    ] = None
    spool: Annotated[
        SpoolSpec | None, Opt("Queue on disk that survives restarts.", planned=True)
    ] = None


class LoggerSpec(Spec):
    """One logger; `app.db: WARNING` is short for `app.db: {level: WARNING}`."""

    level: Annotated[Level | None, Opt("Records below it are not made.")] = None
    handlers: Annotated[
        tuple[str, ...], Opt("Handlers of this logger and its children.", single=True)
    ] = ()
    filters: Annotated[tuple[str, ...], Opt("Filters of records made by it.", single=True)] = ()
    propagate: Annotated[
        bool | None, Opt("Whether records go on to the parents' handlers and the routes.")
    ] = None


class RouteSpec(Spec):
    """Which records go where; routes are tried from top to bottom."""

    name: Annotated[str | None, Opt("A name for reports.")] = None
    match: Annotated[MatchSpec, Opt("Conditions that must all hold; none: every record.")] = (
        MatchSpec()
    )
    filters: Annotated[
        tuple[str, ...], Opt("Filters for this route only.", single=True, planned=True)
    ] = ()
    to: Annotated[tuple[str, ...], Opt("Handlers that get the record.", single=True)] = ()
    final: Annotated[bool, Opt("A record that matched goes to no later route.")] = False
    final_below: Annotated[
        Level | None, Opt("Matched records below this level go to no later route.")
    ] = None
    audit: Annotated[
        bool, Opt("Deliver in the caller; failures reach it.", planned=True)
    ] = False


class ReloadSpec(Spec):
    """Whether and how a changed file is noticed."""

    every: Annotated[Duration, Opt("Time between two looks at the file.")] = 2.0
    signal: Annotated[
        Literal["SIGHUP", "SIGUSR1", "SIGUSR2"] | None, Opt("Signal that reloads.")
    ] = None


class StatsSpec(Spec):
    """How the counters show themselves."""

    every: Annotated[Duration | None, Opt("Time between two records with the counters.")] = None
    socket: Annotated[str | None, Opt("Unix socket that `logroute stats` asks.")] = None


class TestSpec(Spec):
    """One example of `logroute test`: a record and where it must go."""

    name: Annotated[str | None, Opt("What the test shows.")] = None
    record: Annotated[Mapping[str, object], Opt("The record: logger, level, message, extra.")]
    expect: Annotated[Mapping[str, object], Opt("Where it must go.")]


class Config(Spec):
    """A whole file."""

    version: Annotated[int, Opt("Version of the language: 1.", minimum=1, maximum=1)] = 1
    formatters: Mapping[str, FormatterSpec | Foreign] = EMPTY
    filters: Mapping[str, FilterSpec | Foreign] = EMPTY
    handlers: Mapping[str, HandlerSpec] = EMPTY
    loggers: Mapping[str, LoggerSpec] = EMPTY
    root: LoggerSpec | None = None
    routes: Annotated[tuple[RouteSpec, ...] | None, Opt("Tried from top to bottom.")] = None
    unmatched: Annotated[
        tuple[str, ...] | None,
        Opt("Handlers of records that no route wants, or `drop`.", single=True),
    ] = None
    levels: Annotated[Mapping[str, int], Opt("Custom levels, such as `TRACE: 5`.")] = EMPTY
    context: Annotated[Mapping[str, object], Opt("Fields added to every record.")] = EMPTY
    queue: Annotated[QueueSpec | None, Opt("Queue options of all handlers.")] = None
    shutdown_timeout: Annotated[Duration, Opt("Longest drain at exit.")] = 5.0
    disable_existing_loggers: Annotated[
        bool, Opt("Silence loggers that exist and are not named here.")
    ] = False
    incremental: Annotated[bool, Opt("Change levels and propagation only.")] = False
    flush_on: Annotated[
        tuple[str, ...], Opt("Signals that drain before they act.", single=True, planned=True)
    ] = ()
    reload: Annotated[ReloadSpec | None, Opt("Follow changes of the file.", planned=True)] = None
    stats: Annotated[StatsSpec | None, Opt("Show the counters.", planned=True)] = None
    tests: Annotated[tuple[TestSpec, ...], Opt("Examples for `logroute test`.")] = ()
