"""Files: where logs are written, and what is there already.

Paths are judged as written; what the host has there, `host.py` finds out. How files
rotate is in `rotation.py`. Runs in whatever thread loads a config.
"""

import posixpath
import re
from collections.abc import Iterator

from logroute.config.nodes import shown
from logroute.config.rules.rotation import OF_FILES
from logroute.config.rules.rule import Rule, rule
from logroute.config.views import fixes
from logroute.config.views.entries import handlers, text_of
from logroute.config.views.facts import Facts
from logroute.config.views.writers import Writer, writers
from logroute.diagnostics import Diagnostic, Severity, info, warning
from logroute.patterns import lazy_pattern

__all__ = ["ADVICE"]

_MOST_RELATED = 5


@rule("LR501", Severity.WARNING)
def same_file(facts: Facts) -> Iterator[Diagnostic]:
    """Find files that two handlers write (LR501).

    Each of them has the file open for itself. Their lines come in no certain order,
    and what both get stands there twice; when one of them rotates, the other goes on
    writing to the file that was put away, or both rotate, and lose records::

        handlers:
          app: {class: logging.handlers.RotatingFileHandler, filename: /var/log/app.log,
                maxBytes: 1000000, backupCount: 5, encoding: utf-8}
          errors: {class: logging.FileHandler, filename: /var/log/app.log, encoding: utf-8}

    Give each handler a file of its own, or use one handler in both places. A
    `dead_letter` may be that of several handlers, since each line says whose it is, but
    not the file of another one.
    """
    yield from _dead_letters(facts)
    by_path: dict[str, list[Writer]] = {}
    for writer in writers(facts):
        if writer.is_whole and not _device(writer):
            by_path.setdefault(writer.normal, []).append(writer)
    for group in by_path.values():
        if len(group) > 1 and not all(_has_lock(writer) for writer in group):
            first, *others = group
            for other in others[:_MOST_RELATED]:
                message = (
                    f"handlers `{shown(first.name)}` and `{shown(other.name)}` write the same "
                    f"file: {_quarrel(first, other)}"
                )
                cure = "give each a file of its own, or use one handler in both places"
                found = warning("LR501", message, other.node.span, cure)
                related = ((f"the file of `{shown(first.name)}`", first.node.span),)
                yield found._replace(related=related)


def _dead_letters(facts: Facts) -> Iterator[Diagnostic]:
    """Tell of dead letters that go to the log of a handler."""
    logs = {w.normal: w for w in reversed(writers(facts)) if w.is_whole and not _device(w)}
    for name, entry in handlers(facts) if logs else ():
        node = entry.at(("dead_letter", "path"))
        path = text_of(node)
        log = logs.get(re.sub("^/+", "/", posixpath.normpath(path))) if path else None
        if node is not None and log is not None and not facts.is_broken(("handlers", name)):
            message = (
                f"the dead letters of handler `{shown(name)}` go to the file of handler "
                f"`{shown(log.name)}`"
            )
            found = warning("LR501", message, node.span, "give them a file of their own")
            yield found._replace(related=((f"the file of `{shown(log.name)}`", log.node.span),))


def _has_lock(writer: Writer) -> bool:
    """Return whether a handler takes turns with others of its class."""
    return writer.kind == "ConcurrentRotatingFileHandler"


def _quarrel(first: Writer, other: Writer) -> str:
    """Say what becomes of a file that two handlers write."""
    rotating = [writer for writer in (first, other) if _rotates(writer)]
    if len(rotating) == 2:
        return "when both rotate, records are lost"
    if rotating:
        left = other if rotating[0] is first else first
        if left.kind not in ("file", "WatchedFileHandler"):
            return (
                f"when `{shown(rotating[0].name)}` rotates, `{shown(left.name)}` "
                "goes on writing to the file that was put away"
            )
    for writer in (first, other):
        if str(writer.value("mode", "a")).startswith("w"):
            return f"`{shown(writer.name)}` empties it, and each overwrites the other's lines"
    return "lines come in no certain order, and what both get stands there twice"


def _rotates(writer: Writer) -> bool:
    if writer.kind == "RotatingFileHandler":
        limit, count = writer.value("maxBytes", 0), writer.value("backupCount", 0)
        return all(isinstance(value, int) and value > 0 for value in (limit, count))
    return writer.kind in ("TimedRotatingFileHandler", "ConcurrentRotatingFileHandler")


_DEVICE = lazy_pattern(
    r"/+(?:dev/(?P<name>stdout|stderr|null|console|tty|log)|"
    r"(?:dev|proc/(?:self|1))/fd/(?P<number>[0-9]+))$"
)


def _device(writer: Writer) -> re.Match[str] | None:
    """Return what a path says of a device, None where it is none."""
    return _DEVICE.match(writer.path) if writer.path[:2] in ("/d", "/p", "//") else None


_STREAMS = {"stdout": "stdout", "stderr": "stderr", "1": "stdout", "2": "stderr"}


@rule("LR505", Severity.WARNING)
def devices(facts: Facts) -> Iterator[Diagnostic]:
    """Find files that are none: the terminal, a pipe, nothing (LR505).

    A container logs to `/dev/stdout` or `/proc/self/fd/1`, but a file handler opens
    it a second time: not allowed after a change of user, impossible where it is a
    socket, and lines are mixed with those that the program prints::

        handlers:
          out: {type: file, path: /dev/stdout}

    Use a handler for streams: `{type: console, stream: stdout}`. For `/dev/null`
    there is `{type: "null"}`, and the standard library's NullHandler.
    """
    for writer in writers(facts):
        found = _device(writer)
        if found is None:
            continue
        name = found["name"] or found["number"]
        told = info if name == "null" else warning
        message = f"`{shown(writer.path)}` of handler `{shown(writer.name)}` is no file"
        yield told("LR505", message, writer.node.span, _stream_cure(writer, name))


def _stream_cure(writer: Writer, name: str) -> str:
    stream = _STREAMS.get(name)
    if name == "null":
        return 'write `type: "null"`' if writer.is_ours else "use `logging.NullHandler`"
    if name == "log":
        return "use `logging.handlers.SysLogHandler` with `address: /dev/log`"
    if stream is None:
        return "use a handler for streams, `type: console`, or `logging.StreamHandler`"
    if writer.is_ours:
        return f"use `type: console` with `stream: {stream}`"
    return f"use `logging.StreamHandler` with `stream: ext://sys.{stream}`"


@rule("LR509", Severity.INFO)
def relative_paths(facts: Facts) -> Iterator[Diagnostic]:
    """Find paths that depend on the working directory (LR509).

    A service manager, a scheduler and a shell start a program in different
    directories, and its log is then in different files::

        handlers:
          log: {type: file, path: logs/app.log}

    Write an absolute path, or begin it with a variable: `${LOG_DIR}/app.log`.
    """
    for writer in writers(facts):
        if not writer.is_absolute and writer.is_whole and not _is_home_like(writer):
            message = (
                f"`{shown(writer.path)}` of handler `{shown(writer.name)}` depends on the "
                "working directory"
            )
            yield info("LR509", message, writer.node.span, "make it an absolute path")


#: Directories that every system has, and those above the working directory.
_COMMON = lazy_pattern(
    r"/(?:tmp|run|dev(?:/shm)?|var(?:/(?:log|tmp|run|lib))?|opt|srv|mnt|home|root|data)?$|[./]*$"
)


@rule("LR511", Severity.WARNING)
def unmade_directories(facts: Facts) -> Iterator[Diagnostic]:
    """Find directories that the standard library will not make (LR511).

    `logging.config.dictConfig` stops with FileNotFoundError where the directory of
    a log file is missing, as in a fresh checkout or container; it is the commonest
    reason why a file that works here does not work there::

        handlers:
          log: {class: logging.FileHandler, filename: logs/app.log, encoding: utf-8}

    Make the directory where the program is installed, or load the file by
    `logroute.configure`, which makes it, as handlers of `type: file` do. A file with
    anything of logroute in it is not told of: only `configure` can load it. Of an
    absolute path, which an installer may have made, it is a remark.
    """
    if not facts.is_stdlib:
        return
    by_directory: dict[str, list[Writer]] = {}
    for writer in writers(facts):
        folder = posixpath.dirname(writer.normal)
        is_known = writer.is_stdlib and writer.is_whole and not _is_home_like(writer)
        if is_known and not _COMMON.match(folder) and not _device(writer):
            by_directory.setdefault(folder, []).append(writer)
    for folder, group in by_directory.items():
        more = f" (+{len(group) - 1} more files)" if len(group) > 1 else ""
        message = f"the standard library does not make the directory `{shown(folder)}`{more}"
        cure = (
            "make it before the file is loaded; `logroute.configure` and handlers of "
            "`type: file` do that"
        )
        # where packages and images put logs, they make the directory, too
        told = info if folder.startswith("/") else warning
        yield told("LR511", message, group[0].node.span, cure)


_HOME = lazy_pattern(r"\$HOME\b|%(?:USERPROFILE|APPDATA|LOCALAPPDATA|HOMEPATH|TEMP|TMP)%")


def _is_home_like(writer: Writer) -> bool:
    is_told = writer.path[:1] in ("$", "%") and _HOME.match(writer.path)
    return (writer.is_in_home and not writer.is_ours) or bool(is_told)


@rule("LR512", Severity.WARNING)
def unexpanded_homes(facts: Facts) -> Iterator[Diagnostic]:
    """Find homes that stay as they are written (LR512).

    A shell puts the home directory in the place of `~` and `$HOME`. The standard
    library does not, and looks for a directory called `~`::

        handlers:
          log: {class: logging.FileHandler, filename: ~/logs/app.log, encoding: utf-8}

    Write the path out, or use `type: file`, which knows `~` (but not `$HOME`).
    """
    for writer in writers(facts):
        if not _is_home_like(writer):
            continue
        home = _HOME.match(writer.path)
        written = home[0] if home else writer.path.partition("/")[0]
        message = (
            f"`{shown(written)}` in the path of handler `{shown(writer.name)}` is not "
            "replaced by the home directory"
        )
        cure, fix = "write the path out, or use `type: file`, which knows `~`", None
        if writer.is_ours and written == "$HOME":
            right = "~" + writer.path.removeprefix("$HOME")
            cure, fix = f"write `{right}`", fixes.replace(writer.node, right, is_safe=False)
        elif home:
            cure = "write the path out"
        yield warning("LR512", message, writer.node.span, cure, fix)


_TEMPORARY = lazy_pattern(r"/(?:tmp|var/tmp|dev/shm)/")


@rule("LR513", Severity.INFO)
def temporary_directories(facts: Facts) -> Iterator[Diagnostic]:
    """Find logs in directories where anybody may write (LR513).

    In `/tmp` another user of the machine can put a link under the name of the log
    before the program starts, and have it write where the link leads to; and what
    is there is removed by the next cleaning or start::

        handlers:
          log: {type: file, path: /tmp/app.log}

    Use a directory of the program, such as one under `/var/log`.
    """
    for writer in writers(facts):
        if _TEMPORARY.match(writer.normal) and writer.is_whole:
            message = (
                f"`{shown(writer.path)}` of handler `{shown(writer.name)}` is where anybody "
                "may write"
            )
            cure = "use a directory that only the program writes, such as one under `/var/log`"
            yield info("LR513", message, writer.node.span, cure)


ADVICE: tuple[Rule, ...] = (
    same_file,
    *OF_FILES,
    devices,
    relative_paths,
    unmade_directories,
    unexpanded_homes,
    temporary_directories,
)
