"""Writing a file anew: wholly or not at all, never over what somebody else changed.

The new text goes to a file beside the old one and takes its place in one step,
so that neither a crash nor a watching application ever meets half a file.
"""

import contextlib
import os
import tempfile

__all__ = ["CannotWriteError", "overwrite"]


class CannotWriteError(Exception):
    """The file stays as it was; says why."""


def overwrite(path: str, before: bytes, after: bytes) -> None:
    """Replace the content `before` of a file with `after`.

    A link is followed: what it points to changes. Mode and owner are kept.

    Raises:
        CannotWriteError: the file is not writable, or is not what it was.
    """
    path = os.path.realpath(path)
    try:
        state = os.stat(path)
        if not os.access(path, os.W_OK):
            raise CannotWriteError("it is read-only")
        descriptor, beside = tempfile.mkstemp(prefix=".logroute-", dir=os.path.dirname(path))
    except OSError as fault:
        raise CannotWriteError(_reason(fault)) from None
    try:
        with open(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            _keep_owner(descriptor, state)
            os.fsync(descriptor)
        with open(path, "rb") as file:
            if file.read(len(before) + 1) != before:
                raise CannotWriteError("it was changed meanwhile; run the command again")
        os.replace(beside, path)
    except BaseException as fault:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(fault, OSError):
            raise CannotWriteError(_reason(fault)) from None
        raise
    _sync_folder(os.path.dirname(path))


def _keep_owner(descriptor: int, state: os.stat_result) -> None:
    if hasattr(os, "fchown"):  # not on Windows
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.fchown(descriptor, state.st_uid, state.st_gid)
        os.fchmod(descriptor, state.st_mode & 0o7777)  # after the owner, which clears set-id bits


def _sync_folder(folder: str) -> None:
    """See to it that the new name survives a power failure, where folders can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(fault: OSError) -> str:
    return (fault.strerror or type(fault).__name__).lower()
