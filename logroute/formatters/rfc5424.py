"""The `rfc5424` formatter: whole syslog messages, for `socket` and `datagram` handlers.

Runs in whichever thread formats. The messages are those of the `syslog` handler,
which brings framing, transports and the older form too. Source of the format: RFC
5424; the framing over a stream is `framing: octet` of the `socket` handler.
"""

import logging

from logroute.formatters import FormatterSpec
from logroute.syslog import Composer, SyslogOptions, text_of_record

__all__ = ["Rfc5424Formatter", "Rfc5424Spec"]


class Rfc5424Spec(SyslogOptions, FormatterSpec):
    """Format a record as an RFC 5424 message with structured data."""

    def formatter(self) -> logging.Formatter:
        """Return the live formatter."""
        return Rfc5424Formatter(self)


class Rfc5424Formatter(logging.Formatter):
    """Formats a record as a syslog message; never raises and never changes the record.

    Attributes:
        syslog_options: how it does; the `syslog` handler asks.
    """

    def __init__(self, options: SyslogOptions | None = None) -> None:
        """Write headers as `options` say."""
        super().__init__()
        self.syslog_options = options or Rfc5424Spec()
        self._compose = Composer(self.syslog_options)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a message of one line."""
        return self._compose(record, text_of_record(record)).decode()
