"""The `rfc5424` formatter; its machinery comes with structured syslog."""

from typing import ClassVar

from logroute.formatters import FormatterSpec

__all__ = ["Rfc5424Spec"]


class Rfc5424Spec(FormatterSpec):
    """Format a record as an RFC 5424 message with structured data."""

    planned: ClassVar[bool] = True
