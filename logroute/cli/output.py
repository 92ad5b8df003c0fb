"""Where a report goes: standard output, or a file that is written wholly or not at all."""

import contextlib
import os
import sys

__all__ = ["drop_stdout", "encoding_of_stdout", "say", "write"]


def say(message: str, command: str = "check") -> None:
    """Tell a person something that is no finding, on standard error."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # nobody listens
        print(f"logroute {command}: {message}", file=sys.stderr, flush=True)


def encoding_of_stdout() -> str:
    """Return the encoding that a report on standard output has to keep to."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def write(text: str, path: str | None, code: int, command: str = "check") -> int:
    """Write a report; return `code`, or 2 where it could not be written.

    Whoever reads no further (`| head`) has read enough.
    """
    try:
        if path is None or path == "-":
            if sys.stdout is not None:
                sys.stdout.write(text)
                sys.stdout.flush()
        else:
            _replace(path, text)
    except BrokenPipeError:
        drop_stdout()
    except OSError as fault:
        what = path or ("the report" if command == "check" else "the output")
        say(f"cannot write {what}: {(fault.strerror or 'no reason').lower()}", command)
        if path is None:
            drop_stdout()
        return 2
    return code


def drop_stdout() -> None:
    """Send what is left in the buffer nowhere, so that the exit stays quiet."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _replace(path: str, text: str) -> None:
    """Write a file beside `path`, then put it in its place; a device is written as it is."""
    data = text.encode("utf-8", "backslashreplace")
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            file.write(data)
        return
    import tempfile  # most reports go to standard output

    path = os.path.realpath(path)
    descriptor, beside = tempfile.mkstemp(prefix=".logroute-", dir=os.path.dirname(path))
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, _mode(path))
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _mode(path: str) -> int:
    """Return the mode of the file that is there, or of one newly made."""
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
