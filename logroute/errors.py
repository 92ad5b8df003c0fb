"""The exceptions of logroute, drawn as a tree.

::

    LogrouteError
    ├── AuditError         a record of a route with `audit: true` was not delivered
    ├── ConfigError        a file or dict cannot be used; carries every diagnostic
    └── DeliveryError      a sink could not deliver (raised by sinks, settled by workers)
        ├── Retryable      the same batch may succeed later
        ├── Rejected       the same batch, or the named part of it, will never succeed
        └── TooLarge       the batch as a whole is too big; its halves may succeed

A sink may also raise ``OSError``: a worker takes it as `Retryable`.
"""

from collections.abc import Iterable, Mapping, Sequence

from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.diagnostics import Diagnostic

__all__ = [
    "AuditError",
    "ConfigError",
    "DeliveryError",
    "LogrouteError",
    "Rejected",
    "Retryable",
    "TooLarge",
]


class LogrouteError(Exception):
    """The root of every exception that logroute raises on purpose."""


class AuditError(LogrouteError):
    """A record of a route with ``audit: true`` did not get to all its handlers.

    Raised to the code that logged it, when all of them were tried; its cause is what
    the first of `failures` ran into.

    Attributes:
        failures: what went wrong, by the name of the handler.
    """

    def __init__(self, failures: "Mapping[str, BaseException]", text: str) -> None:
        """Keep `failures`; `text` says it for people, without a secret."""
        super().__init__(text)
        self.failures = dict(failures)

    @property
    def handlers(self) -> tuple[str, ...]:
        """The names of the handlers that did not get the record."""
        return tuple(self.failures)


class ConfigError(LogrouteError, ValueError):
    """A config that cannot be used, with everything that is wrong in it.

    Attributes:
        diagnostics: all findings, errors and warnings, in file order.
    """

    def __init__(self, diagnostics: "Sequence[Diagnostic]", text: str = "") -> None:
        """Keep `diagnostics`; `text` is what ``str()`` shows (default: one line each)."""
        self.diagnostics = tuple(diagnostics)
        super().__init__(text or "\n".join(str(item) for item in self.diagnostics))


class DeliveryError(LogrouteError):
    """A batch, or the rest of it, was not delivered.

    Attributes:
        delivered: how many payloads at the head of the batch were accepted
            before the failure; the worker settles those as delivered.
    """

    def __init__(self, message: str, *, delivered: int = 0) -> None:
        """Say in `message` what the destination answered; never a secret."""
        super().__init__(message)
        self.delivered = delivered


class Retryable(DeliveryError):
    """The destination is unreachable, busy or overloaded: try again later.

    Attributes:
        retry_after_s: seconds the destination asked us to wait, or None.
        reason: under which payloads are counted that are given up because of it.
    """

    reason = "undelivered"

    def __init__(
        self, message: str, *, delivered: int = 0, retry_after_s: float | None = None
    ) -> None:
        """Add the wait the destination asked for (HTTP Retry-After), if any."""
        super().__init__(message, delivered=delivered)
        self.retry_after_s = retry_after_s


class Rejected(DeliveryError):
    """The destination refused for good (HTTP 400, SMTP 550): do not retry.

    Which payloads are meant is said in one of two ways. By number: `delivered` at
    the head are accepted, the next `rejected` refused, and the ones behind them are
    sent again. By name, where the destination answers for each payload: those at
    the indices `which` are refused, those at `again` are sent again later, and all
    others are delivered. A batch that is delivered though a part of its journey was
    refused (one recipient of several) has all of it in `delivered`.

    Attributes:
        rejected: how many payloads after the delivered ones are refused;
            None means the whole rest of the batch.
        which: the indices, within the batch as sent, of the refused payloads;
            None: told by number.
        again: the indices of those that may succeed later.
        retry_after_s: seconds the destination asked us to wait before `again`.
        reason: under which the refused payloads are counted.
    """

    reason = "rejected"

    def __init__(
        self,
        message: str,
        *,
        delivered: int = 0,
        rejected: int | None = None,
        which: Iterable[int] | None = None,
        again: Iterable[int] = (),
        retry_after_s: float | None = None,
    ) -> None:
        """Say which payloads are refused; where `which` is given, the numbers do not count."""
        super().__init__(message, delivered=delivered)
        self.rejected = rejected
        self.which = None if which is None else frozenset(which)
        self.again = frozenset(again)
        self.retry_after_s = retry_after_s


class TooLarge(DeliveryError):
    """The batch is too big as a whole (HTTP 413): its halves are sent one after the other.

    A single payload that is too big is refused for good.
    """
