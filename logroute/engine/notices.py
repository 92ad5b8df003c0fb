"""The internal lane: what logroute has to say about itself, on stderr.

Used for our own failures and for records that our own threads produce. It never
waits, never logs, and repeats itself at most once in ten seconds per subject.
"""

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator

from logroute import native
from logroute.errors import DeliveryError

__all__ = ["Notices", "describe", "inside"]

PERIOD_S = 10.0
#: Short enough for a pipe to take it whole or not at all (PIPE_BUF).
MOST_CHARACTERS = 500


def describe(fault: BaseException) -> str:
    """Return an exception as one line; never raises, whatever its `__str__` does."""
    kind = type(fault).__name__
    try:
        text = " ".join(str(fault).split())[:300]
    except Exception:
        text = "(its text cannot be made)"
    if isinstance(fault, DeliveryError) and text:
        return text  # written for people; the class is our affair
    return f"{kind}: {text}" if text else kind


@contextlib.contextmanager
def inside(own_threads: set[int]) -> Iterator[None]:
    """Let what the calling thread logs meanwhile go to the internal lane."""
    ident = native.get_ident()
    nested = ident in own_threads
    try:
        own_threads.add(ident)
        yield
    finally:
        if not nested:
            own_threads.discard(ident)


class Notices:
    """Rate-limited lines on stderr, with a count of what was not shown."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing said."""
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget what was said, as a forked child must."""
        self._said: dict[str, tuple[float, int]] = {}
        #: How many notices there were, shown or not; one that is shown counts from then on.
        self.count = 0

    def say(self, subject: str, text: str) -> None:
        """Show `text`, unless something on `subject` was shown a moment ago; count it then."""
        now = self._clock()
        last, hidden = self._said.get(subject, (-PERIOD_S, 0))
        if now - last < PERIOD_S:
            self._said[subject] = (last, hidden + 1)
        else:
            if len(self._said) > 1000:
                self._said.clear()
            self._said[subject] = (now, 0)
            more = f" (and {hidden} more like it)" if hidden else ""
            write_stderr(f"logroute: {text[:MOST_CHARACTERS]}{more}\n")
        self.count += 1

    def last_resort(self, message: str) -> None:
        """Show a record that no route wants, as stdlib's last resort does: its message."""
        write_stderr(f"{message}\n")


def write_stderr(text: str) -> None:
    """Write `text` to stderr if that needs no waiting; never raises."""
    try:
        stream = sys.stderr
        if stream is None:
            return
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError, AttributeError):
            stream.write(text)
            return
        poll = native.poll()
        poll.register(descriptor, select.POLLOUT)
        if poll.poll(0):
            os.write(descriptor, text.encode("utf-8", "backslashreplace"))
    except Exception:  # a stderr that is closed or full must not stop a worker
        return
