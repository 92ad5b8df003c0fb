"""`logroute check --watch`: the report again whenever a file changes.

Contents are compared, so that it works on any file system and no editor's way
of saving confuses it.
"""

import contextlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable

from logroute.config.source import read_file
from logroute.diagnostics import Span

__all__ = ["watch"]

_PAUSE_S = 0.3
#: How often at most to look whether files that have changed change still.
_LOOKS = 10
_EMPTY = zlib.crc32(b"")
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"


def watch(run: Callable[[], Iterable[str]], find: Callable[[], Iterable[str]]) -> int:
    """Check again and again, until somebody interrupts it.

    Args:
        run: checks, prints the report and returns the files that were read.
        find: returns the files that are named now.
    """
    clears = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    while True:
        if clears:
            sys.stdout.write(_CLEAR)
        named = set(find())
        _tell("checking")  # editors wait for this line, and for the summary
        # looked at before it is read: what changes meanwhile is seen
        before = _contents(named)
        read = set(run())
        before.update(_contents(read - named))
        _tell(f"watching {len(before)} file{'' if len(before) == 1 else 's'}; Ctrl-C ends")
        while set(find()) == named and _contents(before) == before:
            time.sleep(_PAUSE_S)
        _settle(before)


def _settle(names: Iterable[str]) -> None:
    """Wait until nobody is in the midst of writing: files that are empty are about to be."""
    last, looks = _contents(names), 0
    while looks < _LOOKS:
        time.sleep(_PAUSE_S / 3)
        state = _contents(names)
        if state == last and _EMPTY not in state.values():
            return
        last, looks = state, looks + 1


def _tell(message: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # nobody listens
        print(message, file=sys.stderr, flush=True)


def _contents(names: Iterable[str]) -> dict[str, int | None]:
    """Return what tells the contents of files apart; None where one cannot be read."""
    return {name: _content(name) for name in names}


def _content(name: str) -> int | None:
    data, _ = read_file(name, Span(name, 1, 1, 1, 1))
    return None if data is None else zlib.crc32(data)
