"""The `null` kind: takes every record and keeps none."""

import logging
from collections.abc import Sequence

from logroute.light import ClassVar
from logroute.sinks import Encoder, Format, SinkSpec

__all__ = ["NullSink", "NullSpec"]


class NullSpec(SinkSpec):
    """Discard records: for tests, and to name what a profile switches off."""

    guarantee: ClassVar[str] = "discarded"

    def encoder(self, format: Format) -> Encoder:  # noqa: ARG002
        """Return an encoder that does not even format."""
        return _nothing

    def reads(self, format: Format) -> frozenset[str] | None:  # noqa: ARG002
        """Return nothing: nothing is read."""
        return frozenset()

    def sink(self) -> "NullSink":
        """Return a sink that discards."""
        return NullSink()


def _nothing(record: logging.LogRecord) -> bytes:  # noqa: ARG001
    return b""


class NullSink:
    """Discards what it is sent."""

    __slots__ = ()

    def open(self) -> None:
        """Need nothing."""

    def send(self, batch: Sequence[bytes]) -> None:
        """Discard `batch`."""

    def flush(self) -> None:
        """Hold nothing back."""

    def close(self) -> None:
        """Release nothing."""
