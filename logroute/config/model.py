"""The frozen model of a file: what decoding yields and building takes.

Names of levels, handlers, formatters and filters are still words here; the
rules see to it that they mean something.
"""

from collections.abc import Mapping

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
from logroute.light import Annotated, ClassVar, Literal
from logroute.matchers import MatchSpec
from logroute.options import (
    EMPTY,
    Duration,
    FilterName,
    FormatterName,
    HandlerName,
    Level,
    Opt,
    Spec,
)
from logroute.shapes import LEVEL, Either, Nested, Part, Table, Truth
from logroute.sinks import SinkSpec

__all__ = [
    "Config",
    "ExceptionSpec",
    "ExpectSpec",
    "Foreign",
    "HandlerSpec",
    "LoggerSpec",
    "NetworkHandlerSpec",
    "OutputSpec",
    "PreambleSpec",
    "RecordSpec",
    "ReloadSpec",
    "RouteSpec",
    "StatsSpec",
    "StdFilterSpec",
    "StdFormatterSpec",
    "StdHandlerSpec",
    "TestSpec",
]


class Foreign(Spec):
    """A part written stdlib's way (`class` or `()`), as plain data for `DictConfigurator`."""

    entry: Annotated[Mapping[str, object], Opt("The mapping as written.")]


class StdFormatterSpec(Spec):
    """What stdlib reads of a formatter without `()`; it passes over the rest."""

    lenient: ClassVar[bool] = True

    format: Annotated[str | None, Opt("Format string of a line.")] = None
    datefmt: Annotated[str | None, Opt("Format of `asctime`, for time.strftime.")] = None
    style: Annotated[
        Literal["%", "{", "$"], Opt("Whether fields are written `%(x)s`, `{x}` or `$x`.")
    ] = "%"
    validate: Annotated[bool | None, Truth(), Opt("Whether a wrong format is an error.")] = True
    defaults: Annotated[
        Mapping[str, object], Opt("Values of fields that a record lacks.", nullable=True)
    ] = EMPTY


class StdFilterSpec(Spec):
    """What stdlib reads of a filter without `()`: the name of a logger."""

    lenient: ClassVar[bool] = True

    name: Annotated[str, Opt("Only records of this logger and its children pass.")] = ""


class StdHandlerSpec(Spec):
    """What stdlib reads of a handler besides its class and the arguments of that."""

    level: Annotated[Level, Opt("Records below it are not for this handler.", nullable=True)] = 0
    filters: Annotated[
        tuple[FilterName, ...], Opt("Names of filters, in order.", single=True, nullable=True)
    ] = ()
    formatter: Annotated[FormatterName | None, Opt("Name of a formatter.")] = None


class HandlerSpec(StdHandlerSpec):
    """What every handler of ours may say, whatever its kind."""

    sink: SinkSpec | Foreign
    queue: Annotated[QueueSpec | None, Opt("How records wait.")] = None


class NetworkHandlerSpec(HandlerSpec):
    """What a handler may say whose destination is on a network."""

    batch: Annotated[BatchSpec, Opt("How many records go out together.")] = BatchSpec()
    retry: Annotated[RetrySpec, Opt("When to try again.")] = RetrySpec()
    breaker: Annotated[BreakerSpec | None, Opt("When to stop trying for a while.")] = None
    fallback: Annotated[
        HandlerName | None, Opt("Handler that takes what could not be delivered.")
    ] = None
    dead_letter: Annotated[DeadLetterSpec | None, Opt("Where refused records are kept.")] = None
    spool: Annotated[SpoolSpec | None, Opt("Queue on disk that survives restarts.")] = None


class LoggerSpec(Spec):
    """One logger; `app.db: WARNING` is short for `app.db: {level: WARNING}`."""

    lenient: ClassVar[bool] = True

    level: Annotated[Level | None, Opt("Records below it are not made.")] = None
    handlers: Annotated[
        tuple[HandlerName, ...],
        Opt("Handlers of this logger and its children.", single=True, nullable=True),
    ] = ()
    filters: Annotated[
        tuple[FilterName, ...],
        Opt("Filters of records made by it.", single=True, nullable=True),
    ] = ()
    propagate: Annotated[
        bool | None,
        Truth(),
        Opt("Whether records go on to the parents' handlers and the routes."),
    ] = None


class RouteSpec(Spec):
    """Which records go where; routes are tried from top to bottom."""

    name: Annotated[str | None, Opt("A name for reports.")] = None
    match: Annotated[MatchSpec, Opt("Conditions that must all hold; none: every record.")] = (
        MatchSpec()
    )
    filters: Annotated[
        tuple[FilterName, ...],
        Opt("What changes or drops the record for this route's handlers only.", single=True),
    ] = ()
    to: Annotated[tuple[HandlerName, ...], Opt("Handlers that get the record.", single=True)] = ()
    final: Annotated[bool, Opt("A record that matched goes to no later route.")] = False
    final_below: Annotated[
        Level | None, Opt("Matched records below this level go to no later route.")
    ] = None
    audit: Annotated[
        bool,
        Opt("Deliver before the logging call returns; what fails is raised there (AuditError)."),
    ] = False


class ReloadSpec(Spec):
    """Whether and how a changed file is noticed."""

    every: Annotated[
        Duration, Opt("Time between two looks at the file and what it includes; 0: do not look.")
    ] = 2.0
    signal: Annotated[
        Literal["SIGHUP", "SIGUSR1", "SIGUSR2"] | None, Opt("Signal that reloads.")
    ] = None


class StatsSpec(Spec):
    """How the counters show themselves."""

    every: Annotated[
        Duration | None,
        Opt("Time between two INFO records of the logger `logroute.stats` with the counters."),
    ] = None
    socket: Annotated[
        str | None,
        Opt(
            "Path of a unix socket that `logroute stats` asks; only this user may. "
            "`{pid}` stands for the number of the process."
        ),
    ] = None


_TIME = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?"


class ExceptionSpec(Spec):
    """The exception of a record."""

    type: Annotated[str, Opt("Name of the class, such as `ValueError`.")]
    message: Annotated[str, Opt("What the exception says.")] = ""


class RecordSpec(Spec):
    """A record as the application would log it."""

    logger: Annotated[str, Opt("Name of the logger.")] = "root"
    level: Annotated[Level, Opt("Level of the record.")] = "INFO"
    message: Annotated[str, Opt("The message, or its template where there are `args`.")] = ""
    args: Annotated[
        tuple[object, ...],
        Opt("What is put into the template; a mapping for `%(name)s`.", single=True),
    ] = ()
    fields: Annotated[
        Mapping[str, object],
        Opt("`extra` of the call, and attributes such as `lineno`, `funcName` or `pathname`."),
    ] = EMPTY
    extra: Annotated[Mapping[str, object], Opt("The same as `fields`.")] = EMPTY
    exception: Annotated[
        str | ExceptionSpec | None, Opt("Class of the exception, or `{type, message}`.")
    ] = None
    thread: Annotated[str | None, Opt("Name of the thread. Default: `MainThread`.")] = None
    time: Annotated[
        str | None,
        Opt(
            "When it is logged, such as `2026-05-01T12:00:00Z`; local time where no zone is given. "
            "Default: now.",
            pattern=_TIME,
            expects="must be a time such as `2026-05-01T12:00:00Z` or `2026-05-01 12:00:00,250`",
        ),
    ] = None


class OutputSpec(Spec):
    """What a handler must write: its text, without the line end."""

    equals: Annotated[str | None, Opt("Exactly this.")] = None
    contains: Annotated[tuple[str, ...], Opt("All of these are in it.", single=True)] = ()
    excludes: Annotated[tuple[str, ...], Opt("None of these is in it.", single=True)] = ()
    matches: Annotated[str | None, Opt("A regular expression that is found in it.")] = None


class ExpectSpec(Spec):
    """Where a record must go; all keys must hold."""

    to: Annotated[
        tuple[HandlerName, ...] | None, Opt("Exactly these handlers, in any order.", single=True)
    ] = None
    includes: Annotated[tuple[HandlerName, ...], Opt("At least these.", single=True)] = ()
    excludes: Annotated[tuple[HandlerName, ...], Opt("None of these.", single=True)] = ()
    dropped: Annotated[bool | None, Opt("true: nobody gets it, not even stderr.")] = None
    output: Annotated[
        Mapping[HandlerName, OutputSpec], Opt("What a handler writes, by its name.")
    ] = EMPTY


class TestSpec(Spec):
    """One example of `logroute test`: a record and where it must go."""

    __test__: ClassVar[bool] = False  # for pytest, which takes it for a class of tests

    name: Annotated[str | None, Opt("What the test shows.")] = None
    record: Annotated[RecordSpec, Opt("The record.")]
    expect: Annotated[ExpectSpec, Opt("Where it must go.")]


class PreambleSpec(Spec):
    """What a file may say that is used up before it is decoded."""

    include: Annotated[
        tuple[str, ...], Opt("Files whose parts come first.", single=True, nullable=True)
    ] = ()
    vars: Annotated[Mapping[str, object], Opt("Values for `${var:name}`.", nullable=True)] = EMPTY
    profiles: Annotated[
        Mapping[str, Mapping[str, object]],
        Opt("Overlays, one of which is chosen when the file is loaded.", nullable=True),
    ] = EMPTY


class Config(Spec):
    """A whole file."""

    version: Annotated[int, Opt("Version of the language: 1.", minimum=1, maximum=1)] = 1
    formatters: Annotated[
        Mapping[str, FormatterSpec | Foreign],
        Table(Part("formatter")),
        Opt("How records become text, by name.", nullable=True),
    ] = EMPTY
    filters: Annotated[
        Mapping[str, FilterSpec | Foreign],
        Table(Part("filter")),
        Opt("What changes or drops records, by name.", nullable=True),
    ] = EMPTY
    handlers: Annotated[
        Mapping[str, HandlerSpec],
        Table(Part("handler")),
        Opt("Destinations, by name.", nullable=True),
    ] = EMPTY
    loggers: Annotated[
        Mapping[str, LoggerSpec],
        Table(Either(LEVEL, Nested(LoggerSpec))),
        Opt("Loggers by name; a level alone is short for `{level: ...}`.", nullable=True),
    ] = EMPTY
    root: Annotated[
        LoggerSpec | None,
        Either(LEVEL, Nested(LoggerSpec)),
        Opt("The root logger."),
    ] = None
    routes: Annotated[tuple[RouteSpec, ...] | None, Opt("Tried from top to bottom.")] = None
    unmatched: Annotated[
        tuple[HandlerName, ...] | None,
        Opt("Handlers of records that no route wants, or `drop`.", single=True),
    ] = None
    levels: Annotated[
        Mapping[str, Annotated[int, Opt("Number of the level.", minimum=0)]],
        Opt("Custom levels, such as `TRACE: 5`.", nullable=True),
    ] = EMPTY
    context: Annotated[
        Mapping[str, object], Opt("Fields added to every record.", nullable=True)
    ] = EMPTY
    queue: Annotated[QueueSpec | None, Opt("Queue options of all handlers.")] = None
    shutdown_timeout: Annotated[Duration, Opt("Longest drain at exit.")] = 5.0
    disable_existing_loggers: Annotated[
        bool, Truth(), Opt("Silence loggers that exist and are not named here.", nullable=True)
    ] = False
    incremental: Annotated[bool, Opt("Change levels and propagation only.", nullable=True)] = False
    flush_on: Annotated[
        tuple[Literal["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"], ...],
        Opt("Signals that drain before they act.", single=True),
    ] = ()
    reload: Annotated[ReloadSpec | None, Opt("Follow changes of the file.")] = None
    stats: Annotated[StatsSpec | None, Opt("Show the counters.")] = None
    tests: Annotated[tuple[TestSpec, ...], Opt("Examples for `logroute test`.", nullable=True)] = ()
