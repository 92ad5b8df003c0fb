"""Formatters: record -> text.

A `FormatterSpec` describes one in a file and makes the live formatter, which is
a `logging.Formatter`, so that any stdlib or foreign handler can use it too.
"""

import logging

from logroute.kinds import KindTable
from logroute.light import ClassVar
from logroute.options import Spec

__all__ = ["KINDS", "FormatterSpec", "completed"]


class FormatterSpec(Spec):
    """Describes a formatter; subclasses add the options of their kind."""

    #: The machinery is not there yet; using the kind is an error.
    planned: ClassVar[bool] = False

    def formatter(self) -> logging.Formatter:
        """Return the live formatter; its `format` must not change the record."""
        raise NotImplementedError


KINDS: KindTable[FormatterSpec] = KindTable(
    {
        "text": "logroute.formatters.text:TextSpec",
        "json": "logroute.formatters.json:JsonSpec",
        "logfmt": "logroute.formatters.logfmt:LogfmtSpec",
        "ecs": "logroute.formatters.ecs:EcsSpec",
        "gelf": "logroute.formatters.gelf:GelfSpec",
        "rfc5424": "logroute.formatters.rfc5424:Rfc5424Spec",
    },
    "logroute.formatters",
    FormatterSpec,
)


def completed(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy of `record` with the attributes that every record has.

    Records made by hand, or by another process, may lack some of them.
    """
    made = logging.makeLogRecord({})
    made.__dict__.update(record.__dict__)
    return made
