"""Help for the tests of applications: where a config sends a record, asserted.

>>> from logroute.testing import assert_routed
>>> assert_routed("logging.yaml", logger="app", level="ERROR", to=["mail"])  # doctest: +SKIP

Nothing is configured, opened or sent. `logroute.testing.plugin` is the pytest
plugin, which runs the `tests:` of configs. Everything heavy is imported by the
function that needs it, since pytest imports this module in every run.
"""

import os
from collections.abc import Iterable, Mapping

from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.app.explanation import Explanation

__all__ = ["assert_adds_up", "assert_routed", "explain"]

Source = str | os.PathLike[str] | Mapping[str, Any]


def explain(
    config: Source,
    *,
    logger: str = "root",
    level: str | int = "INFO",
    message: str = "",
    args: Iterable[object] = (),
    extra: Mapping[str, object] | None = None,
    exception: str | BaseException | type[BaseException] | None = None,
    thread: str | None = None,
    time: str | None = None,
    profile: str | None = None,
    imports: bool = False,
) -> "Explanation":
    """Return where `config` sends a record, and why.

    Its ``reaches`` are the names of the handlers, ``is_dropped`` says whether nobody
    gets it, ``output("console")`` is the text that a handler writes, and its `str`
    is what `logroute explain` prints.

    Args:
        config: path, YAML text (several lines) or mapping, as for `configure`.
        logger: name of the logger.
        level: name or number of the level.
        message: the message, or its template.
        args: what is put into the template.
        extra: as in a logging call; attributes such as ``lineno`` work, too.
        exception: an exception, its class, or the name of one.
        thread: name of the thread.
        time: when, in ISO 8601; local time where no zone is given. Default: now.
        profile: which of the file's profiles to lay over it.
        imports: whether filters and formatters that the file names are imported.

    Raises:
        ConfigError: the config cannot be used.
        ValueError: there is no such level or time.
    """
    from logroute.app.explain import Explainer
    from logroute.config.load import load
    from logroute.config.model import RecordSpec

    spec = RecordSpec(
        logger=logger,
        level=level,
        message=message,
        args=tuple(args),
        extra=extra or {},
        exception=exception if isinstance(exception, str) else None,
        thread=thread,
        time=time,
    )
    explainer = Explainer(load(config, profile=profile), imports=imports)
    record = explainer.record(spec)
    if isinstance(exception, type):
        exception = exception()
    if isinstance(exception, BaseException):
        record.exc_info = (type(exception), exception, exception.__traceback__)
    return explainer.explain(record)


def assert_routed(
    config: Source,
    *,
    to: Iterable[str] | None = None,
    includes: Iterable[str] = (),
    excludes: Iterable[str] = (),
    dropped: bool | None = None,
    **record: Any,
) -> "Explanation":
    """Assert where `config` sends a record; return the explanation.

    Args:
        config: as for `explain`.
        to: exactly these handlers, in any order.
        includes: at least these.
        excludes: none of these.
        dropped: true: nobody gets it, not even stderr.
        record: `logger`, `level`, `message` and the other arguments of `explain`.

    Raises:
        AssertionError: it goes elsewhere; the text says where and why.
        ConfigError: the config cannot be used.
        TypeError: nothing is expected.
    """
    if to is None and dropped is None and not (includes or excludes):
        raise TypeError("say where the record goes: to, includes, excludes or dropped")
    told = explain(config, **record)
    reached = set(told.reaches)
    faults = []
    if to is not None and (wanted := set(to)) != reached:
        faults += _difference(wanted, reached)
    if missing := [name for name in includes if name not in reached]:
        faults.append(f"missing: {', '.join(missing)}")
    if unexpected := [name for name in excludes if name in reached]:
        faults.append(f"unexpected: {', '.join(unexpected)}")
    if dropped is not None and dropped is not told.is_dropped:
        faults.append("the record is dropped" if told.is_dropped else "the record is not dropped")
    if faults:
        raise AssertionError("\n".join([*faults, str(told)]))
    return told


def assert_adds_up(stats: Mapping[str, Any]) -> None:
    """Assert that no record of any handler is unaccounted for, at this moment.

    Per handler, ``enqueued`` is what was delivered, dropped, filtered, dead-lettered,
    handed to the fallback, and what is queued or in flight. That holds at any time,
    while records flow too, and for what reloads have replaced.

    Args:
        stats: what `logroute.stats()` returned.

    Raises:
        AssertionError: the counts of a handler do not add up; the text says which.
    """
    from logroute.engine.stats import imbalance

    faults = []
    for family in ("handlers", "retired"):
        for name, counts in stats[family].items():
            if missing := imbalance(counts):
                what = f"{missing} unaccounted for" if missing > 0 else f"{-missing} too many"
                faults.append(f"handler `{name}` ({family}): {what} of {dict(counts)}")
    if faults:
        raise AssertionError("\n".join(faults))


def _difference(wanted: set[str], reached: set[str]) -> list[str]:
    missing, unexpected = sorted(wanted - reached), sorted(reached - wanted)
    found = [f"missing: {', '.join(missing)}"] if missing else []
    return found + ([f"unexpected: {', '.join(unexpected)}"] if unexpected else [])
