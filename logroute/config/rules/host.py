"""This host: what the config relies on here and now; only `check --host` looks.

Looking changes nothing: no file is made or opened for writing.
"""

import os
import stat
from collections.abc import Iterator

from logroute.config.model import Foreign
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import Rule, rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, error, warning
from logroute.light import NamedTuple

__all__ = ["HOST"]

#: Less free space than this is worth a word.
_LITTLE_BYTES = 100 << 20
_FILE_CLASSES = frozenset(
    {
        "logging.FileHandler",
        "logging.handlers.RotatingFileHandler",
        "logging.handlers.TimedRotatingFileHandler",
        "logging.handlers.WatchedFileHandler",
    }
)


class _Target(NamedTuple):
    """A file that a handler writes; `makes_dirs`: with the directories above it."""

    handler: str
    node: Node
    path: str
    makes_dirs: bool
    is_stdlib: bool

    @property
    def directory(self) -> str:
        return os.path.dirname(self.path)


def _targets(facts: Facts) -> Iterator[_Target]:
    """Yield the files that handlers write, as far as their names are known."""
    for name, spec in facts.config.handlers.items():
        where: Path = ("handlers", name)
        is_foreign = isinstance(spec.sink, Foreign)
        node = facts.node.at((*where, "filename" if is_foreign else "path"))
        if node is None or node.opaque or not isinstance(node.value, str) or not node.value:
            continue
        if "\0" in node.value or "://" in node.value or facts.is_broken(where):
            continue
        if not isinstance(spec.sink, Foreign):
            path = os.path.abspath(os.path.expanduser(node.value))
            yield _Target(name, node, path, bool(getattr(spec.sink, "create_dirs", True)), False)
        elif spec.sink.entry.get("class", spec.sink.entry.get("()")) in _FILE_CLASSES:
            yield _Target(name, node, os.path.abspath(node.value), False, True)


@rule("LR502", Severity.ERROR)
def missing_directories(facts: Facts) -> Iterator[Diagnostic]:
    """Find log files whose directory does not exist on this host (LR502).

    The standard library's file handlers open their file when they are made, so
    the program does not even start::

        handlers:
          log: {class: logging.FileHandler, filename: /var/log/shop/app.log}

    Make the directory, or use `type: file`, which makes it. Only `check --host`
    looks.
    """
    for target in _targets(facts):
        if target.makes_dirs or os.path.isdir(target.directory):
            continue
        message = (
            f"handler `{shown(target.handler)}`: the directory {target.directory} does not exist"
        )
        cure = f"make it: `mkdir -p {target.directory}`"
        if target.is_stdlib:
            cure += "; a handler of `type: file` makes it by itself"
        yield error("LR502", message, target.node.span, cure)


@rule("LR503", Severity.ERROR)
def not_writable(facts: Facts) -> Iterator[Diagnostic]:
    """Find log files that this user may not write (LR503).

    The user who runs the check is asked about, so run it as the program's::

        handlers:
          log: {type: file, path: /etc/app.log}

    A `spool` must be a folder to which nobody else may write: with its records
    others could send what they like. Choose another path, or give the user the
    right to write there. Only `check --host` looks.
    """
    for target in _targets(facts):
        reason = _why_not_writable(target)
        if reason is not None:
            who = f"user {os.geteuid()}, group {os.getegid()}"
            message = f"handler `{shown(target.handler)}` cannot write: {reason}"
            cure = f"choose another path, or give {who} the right to write there"
            yield error("LR503", message, target.node.span, cure)
    for name, node in _spools(facts):
        reason = _why_no_spool(node.value, name)
        if reason is not None:
            message = f"handler `{shown(name)}` cannot spool: {reason}"
            cure = "choose another path, or make it one that only the program's user may write to"
            yield error("LR503", message, node.span, cure)


def _spools(facts: Facts) -> Iterator[tuple[str, Node]]:
    """Yield the handlers with a spool, and its path as far as it is known."""
    for name in facts.config.handlers:
        node = facts.node.at(("handlers", name, "spool", "path"))
        if node is None or node.opaque or not isinstance(node.value, str) or not node.value:
            continue
        if "\0" not in node.value and not facts.is_broken(("handlers", name)):
            yield name, node


def _why_no_spool(path: str, handler: str) -> str | None:
    """Return why the spool of a handler cannot be used, as far as that is known before."""
    from logroute.delivery.spool.folder import Folder, folder_name

    folder = Folder(os.path.join(path, folder_name(handler)))
    try:
        above = os.path.dirname(folder.path)
        if os.path.isdir(above):
            folder.refuse_unsafe(above)
        if folder.exists():
            with folder.opened():
                above = folder.path
        while not os.path.lexists(above):
            above = os.path.dirname(above)
    except OSError as fault:
        return fault.strerror or str(fault)
    if not os.path.isdir(above):
        return f"{above} is not a directory"
    if not os.access(above, os.W_OK | os.X_OK, effective_ids=True):
        return f"nothing can be made in {above}"
    return None


def _why_not_writable(target: _Target) -> str | None:
    try:
        mode = os.stat(target.path).st_mode
    except FileNotFoundError:
        above = target.directory
        while target.makes_dirs and not os.path.lexists(above):
            above = os.path.dirname(above)
        if not os.path.lexists(above):
            return None  # a missing directory is told by its own rule
        if not os.path.isdir(above):
            return f"{above} is not a directory"
        if os.access(above, os.W_OK | os.X_OK, effective_ids=True):
            return None
        return f"no file can be made in {above}"
    except OSError as fault:
        return f"{target.path}: {fault.strerror}"
    if stat.S_ISDIR(mode):
        return f"{target.path} is a directory"
    if not os.access(target.path, os.W_OK, effective_ids=True):
        return f"{target.path} is there and is not writable"
    return None


@rule("LR514", Severity.WARNING)
def little_space(facts: Facts) -> Iterator[Diagnostic]:
    """Find log files on a file system that is nearly full (LR514).

    A full disk drops records, and often stops more than the log::

        handlers:
          log: {type: file, path: /var/log/shop/app.log}

    Make room, or write elsewhere. Less than 100 MiB free for this user is told;
    only `check --host` looks.
    """
    for target in _targets(facts):
        above = target.directory
        while not os.path.isdir(above):
            above = os.path.dirname(above)
        try:
            found = os.statvfs(above)
        except OSError:
            continue
        free = found.f_bavail * found.f_frsize
        is_tiny = found.f_blocks * found.f_frsize < _LITTLE_BYTES  # /dev and the like
        if free < _LITTLE_BYTES and not is_tiny:
            message = (
                f"handler `{shown(target.handler)}`: only {free >> 20} MiB are free in {above}"
            )
            cure = "make room, or write to another file system"
            yield warning("LR514", message, target.node.span, cure)


@rule("LR705", Severity.WARNING)
def readable_by_others(facts: Facts) -> Iterator[Diagnostic]:
    """Find secrets that every user of this host can read (LR705).

    A password in the file itself, or in a file that a `${file:...}` names, is
    only as secret as that file::

        handlers:
          alerts:
            type: http
            url: https://alerts.example.org/logs
            auth: {bearer: "${file:/run/secrets/alerts}"}

    Take the right to read from the others: `chmod o-r FILE`. Only
    `check --host` looks.
    """
    told: set[str] = set()
    for path in sorted(facts.view.found.secrets, key=str):
        original = facts.original.at(path)
        for file in _files_of(original):
            if file in told or not _is_readable_by_others(file):
                continue
            told.add(file)
            message = f"every user of this host can read {shown(file, 200)}, which holds a secret"
            place = (original or facts.node).span
            yield warning("LR705", message, place, f"use `chmod o-r {shown(file, 200)}`")


def _files_of(original: Node | None) -> Iterator[str]:
    """Yield the files in which the value of a secret option stands."""
    if original is None or not isinstance(original.value, str) or not original.value:
        return
    if "${" not in original.value:
        yield original.span.file
    folder = os.path.dirname(original.span.file)
    for piece in original.value.split("${file:")[1:]:
        yield os.path.join(folder, piece.partition("}")[0])


def _is_readable_by_others(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & stat.S_IROTH)


@rule("LR706", Severity.ERROR)
def missing_tls_files(facts: Facts) -> Iterator[Diagnostic]:
    """Find certificates and keys that cannot be used on this host (LR706).

    Files that are missing, cannot be read, are no PEM files, or do not belong
    together; a connection would fail each time::

        handlers:
          collector:
            type: socket
            address: logs.example.org:6514
            tls: {ca_file: /etc/ssl/private-ca.pem}

    Correct the path, or put the file there. Only `check --host` looks.
    """
    from logroute.errors import DeliveryError
    from logroute.sinks import TlsSpec
    from logroute.sinks.net import tls_context

    for name, spec in facts.config.handlers.items():
        tls = getattr(spec.sink, "tls", None)
        where: Path = ("handlers", name, "tls")
        node = facts.node.at(where)
        if not isinstance(tls, TlsSpec) or node is None or facts.is_broken(where):
            continue
        if not isinstance(node.value, dict) or any(item.opaque for item in node.value.values()):
            continue
        try:
            tls_context(tls)
        except DeliveryError as fault:
            key = "ca_file" if "authorities" in str(fault) else "cert_file"
            message = f"handler `{shown(name)}` {fault}"
            cure = "correct the path, or put a PEM file there that this user may read"
            yield error("LR706", message, facts.view.place((*where, key)), cure)


HOST: tuple[Rule, ...] = (
    missing_directories,
    not_writable,
    little_space,
    readable_by_others,
    missing_tls_files,
)
