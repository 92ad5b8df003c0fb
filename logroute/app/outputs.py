"""What a handler would write of a record, by its own formatter and encoder.

Opens nothing: a sink is described, never made. Runs in whatever thread asks.
"""

import logging
from collections.abc import Callable

from logroute.app.formats import default_formatter, known_formatter
from logroute.config.model import Config, Foreign, HandlerSpec
from logroute.errors import ConfigError
from logroute.light import Any

__all__ = ["UnknownOutputError", "output_of"]

#: stdlib's handlers that write what their formatter returns.
_TEXT_CLASSES = frozenset(
    {
        "logging.FileHandler",
        "logging.StreamHandler",
        "logging.handlers.RotatingFileHandler",
        "logging.handlers.SMTPHandler",
        "logging.handlers.SysLogHandler",
        "logging.handlers.TimedRotatingFileHandler",
        "logging.handlers.WatchedFileHandler",
    }
)

#: Makes the formatter of an entry that names somebody's code, by the entry's name.
Import = Callable[[str], logging.Formatter]


class UnknownOutputError(Exception):
    """What a handler would write cannot be told; says why."""


def output_of(
    config: Config, name: str, record: logging.LogRecord, import_formatter: Import | None = None
) -> str:
    """Return the text that the handler `name` writes for `record`, without the line end.

    Args:
        config: the config that describes the handler.
        name: the handler's name.
        record: as it is behind all filters.
        import_formatter: imports a formatter that the file names; None: nothing is
            imported.

    Raises:
        UnknownOutputError: only an import could tell, it writes no text, or the
            formatter fails.
        ConfigError: what was to be imported cannot be built.
    """
    try:
        return _text(config, config.handlers[name], record, import_formatter)
    except (UnknownOutputError, ConfigError):
        raise
    except Exception as fault:  # a field that the record lacks, arguments that do not fit
        raise UnknownOutputError(f"the record cannot be formatted: {_cause(fault)}") from fault


def _cause(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"


def _text(
    config: Config, spec: HandlerSpec, record: logging.LogRecord, import_formatter: Import | None
) -> str:
    if isinstance(spec.sink, Foreign):
        return _foreign(config, spec, spec.sink, record, import_formatter)
    sink: Any = spec.sink
    framing = getattr(sink, "framing", "newline")
    if framing == "pickle":
        raise UnknownOutputError("it sends pickled records, which have no text")
    formatter = _formatter(config, spec.formatter, sink.default_formatter, import_formatter)
    # What stands before the text is no text, unless it comes later still.
    if framing != "newline" and not getattr(sink, "frames_late", False):
        return formatter.format(record)
    if getattr(sink, "color", "never") != "never":
        sink = sink.replace(color="never")
    payload = sink.encoder(formatter.format)(record)
    if isinstance(payload, bytes):
        payload = payload.decode(getattr(sink, "encoding", "utf-8"), "replace")
    if not isinstance(payload, str):
        raise UnknownOutputError(f"it sends a {type(payload).__name__}, which is no text")
    return payload.removesuffix("\n")


def _foreign(
    config: Config,
    spec: HandlerSpec,
    sink: Foreign,
    record: logging.LogRecord,
    import_formatter: Import | None,
) -> str:
    maker = sink.entry.get("class", sink.entry.get("()"))
    if maker not in _TEXT_CLASSES and import_formatter is None:
        raise UnknownOutputError(
            f"only `{maker}` knows, which is not imported (--import takes its formatter's word)"
        )
    formatter = logging.Formatter()
    if spec.formatter is not None:
        formatter = _formatter(config, spec.formatter, "text", import_formatter)
    return formatter.format(record)


def _formatter(
    config: Config, name: str | None, default: str, import_formatter: Import | None
) -> logging.Formatter:
    if name is None:
        return default_formatter(default)
    spec = config.formatters[name]
    formatter = known_formatter(spec)
    if formatter is not None:
        return formatter
    if import_formatter is None:
        entry = spec.entry if isinstance(spec, Foreign) else {}
        code = entry.get("()", entry.get("class", "other code"))
        raise UnknownOutputError(
            f"its formatter `{name}` names `{code}`, which is not imported (see --import)"
        )
    return import_formatter(name)
