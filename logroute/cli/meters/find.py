"""Which stats sockets are meant: by path, pattern, process number, folder or config."""

import glob
import os
import re
import stat
from collections.abc import Iterable, Mapping

__all__ = ["find"]

#: Of /proc/PID/net/unix: flags of a socket that listens, its inode, its path.
_LISTENING = re.compile(r"^\S+ \S+ \S+ 00010000 0001 \S+ +(\d+) (/.*)$", re.MULTILINE)
_CURE = "add `stats: {socket: /run/user/1000/app-{pid}.sock}` to the config of the process"


def find(word: str | None, environ: Mapping[str, str]) -> list[str]:
    """Return the paths of the sockets that `word` means, perhaps of dead processes.

    Raises:
        ValueError: there are none; its arguments are the message and a cure.
    """
    if word is None:
        word = environ.get("LOGROUTE_CONFIG")
        if not word:
            raise ValueError(
                "name a socket, a pattern such as `app-*.sock`, a process number or a config",
                _CURE,
            )
    if word.isascii() and word.isdecimal():
        return _of_process(int(word))
    path = os.path.expanduser(word)
    if os.path.isdir(path):
        return _some(_sockets(os.path.join(glob.escape(path), "*")), f"{word} has no socket")
    if os.path.isfile(path):
        return _of_config(path)
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path) or "{pid}" in path:
        return _some(_matching(path), f"no socket matches `{word}`")
    why = f"there is no {word}"
    raise ValueError(why, "the process has ended, or its config has no `stats: {socket: ...}`")


def _some(paths: list[str], why: str) -> list[str]:
    if not paths:
        raise ValueError(why, "no process that shows its stats there runs")
    return paths


def _sockets(pattern: str) -> list[str]:
    return sorted(path for path in glob.glob(pattern) if _is_socket(path))


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _matching(pattern: str) -> list[str]:
    """Return the sockets that a pattern means; `{pid}` in it is as in a config."""
    if "{pid}" not in pattern:
        return _sockets(pattern)
    return _sockets("*".join(map(glob.escape, pattern.split("{pid}"))))


def _of_config(path: str) -> list[str]:
    from logroute.config.load import load

    config = load(path, read_secrets=False).config
    if config is None:
        raise ValueError(f"{path} cannot be used", f"see `logroute check {path}`")
    pattern = None if config.stats is None else config.stats.socket
    if pattern is None:
        raise ValueError(f"{path} has no `stats: {{socket: ...}}`", _CURE)
    pattern = os.path.expanduser(pattern)
    found = _matching(pattern if "{pid}" in pattern else glob.escape(pattern))
    if "{pid}" not in pattern:  # where several run, the others are beside the first
        root, suffix = os.path.splitext(glob.escape(pattern))
        found += _sockets(f"{root}-[0-9]*{suffix}")
    return _some(found, f"nobody listens at {pattern}, which {path} names")


def _of_process(pid: int) -> list[str]:
    """Return the sockets that a process listens at and that may be its stats socket."""
    try:
        inodes = set(_inodes(pid))
        with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="surrogateescape") as table:
            listening = dict(_LISTENING.findall(table.read()))
    except FileNotFoundError:
        raise ValueError(f"there is no process {pid}", "see `ps`") from None
    except PermissionError:
        raise ValueError(f"process {pid} is another user's", "ask as that user or root") from None
    paths = [path for inode, path in listening.items() if inode in inodes]
    likely = [path for path in paths if _is_private(path)]
    named = [path for path in likely if str(pid) in os.path.basename(path)]
    found = named or likely
    if not found:
        raise ValueError(f"process {pid} shows no stats", _CURE)
    if len(found) > 1:
        raise ValueError(
            f"process {pid} listens at several sockets: {', '.join(sorted(found))}", "name one"
        )
    return found


def _inodes(pid: int) -> Iterable[str]:
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _is_private(path: str) -> bool:
    """Return whether a socket is as we make them, so that others are not spoken to."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
