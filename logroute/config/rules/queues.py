"""Queues and delivery: options that work against each other.

Runs in whatever thread loads a config.
"""

from collections.abc import Iterator

from logroute.config.findings import subject
from logroute.config.model import HandlerSpec, NetworkHandlerSpec
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.rules.idle import idle_filters
from logroute.config.rules.mails import mails_of_low_levels, mails_per_record
from logroute.config.rules.network import is_stream
from logroute.config.rules.rule import rule
from logroute.config.views.entries import handlers, kind_of, of_kind, text_of
from logroute.config.views.facts import Facts
from logroute.config.views.fixes import replace
from logroute.delivery.specs import QueueSpec
from logroute.diagnostics import Diagnostic, Severity, Span, info, warning
from logroute.units import format_duration

__all__ = ["batches_over_queues"]

_LONGEST_BLOCK_S = 5.0
_SHORTEST_SHUTDOWN_S = 0.5
_KIND_OF = {"SMTPHandler": "email", "HTTPHandler": "http", "SocketHandler": "socket"}


@rule("LR801", Severity.INFO)
def blocking_handlers(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers for which the application waits (LR801).

    Where the standard library runs this file, each call of a logger that reaches
    one of these waits until the server has answered: for mail that is a whole
    session, seconds while it is slow or away::

        handlers:
          mail:
            class: logging.handlers.SMTPHandler
            mailhost: [smtp.example.org, 587]
            fromaddr: app@example.org
            toaddrs: [ops@example.org]
            subject: App failed
            credentials: [app, secret]
            secure: []

    Use `type: email`, `http` or `socket`, or load the file as it is with
    `logroute.configure`: either way a queue and a thread stand between. A handler
    behind a `QueueHandler` has them already.
    """
    if not facts.is_stdlib:
        return
    queued = _queued(facts)
    for name, entry in of_kind(facts, *_KIND_OF, "SysLogHandler"):
        kind = kind_of(entry)
        if name in queued or (kind == "SysLogHandler" and not is_stream(entry)):
            continue
        if kind == "HTTPHandler" or (kind == "SysLogHandler" and not entry.at(("timeout",))):
            continue  # these wait without limit (LR606)
        message = f"{subject(('handlers', name))}: the application waits while it sends"
        cure = f"use `type: {_KIND_OF.get(kind)}`, or load the file with `logroute.configure`"
        if kind == "SysLogHandler":
            cure = "write `address: /dev/log`, or load the file with `logroute.configure`"
        place = facts.view.place(("handlers", name), of_key=True)
        yield info("LR801", message, place, cure)


def _queued(facts: Facts) -> set[str]:
    """Return the handlers that a `QueueHandler` of the file feeds."""
    lists = (entry.at(("handlers",)) for _, entry in of_kind(facts, "QueueHandler"))
    found = (node.value for node in lists if node is not None)
    return {text_of(item) for items in found if isinstance(items, list) for item in items}


@rule("LR803", Severity.WARNING)
def batches_over_queues(facts: Facts) -> Iterator[Diagnostic]:
    """Find batches that the queue before them has no room for (LR803).

    A batch goes out when it is full, or after `max_wait`. If it cannot become full
    every batch waits, and whatever comes once the queue is full is dropped. With
    `overflow: shed`, the default on a network, records below WARNING are dropped
    from 80 % on already::

        handlers:
          web:
            type: http
            url: https://logs.example.org/
            queue: {max_records: 500}
            batch: {max_records: 500}

    Here 400 records may wait: write `max_records: 400` for the batch, or give the
    queue more room.
    """
    told: set[Span] = set()
    for name, entry in handlers(facts):
        spec = facts.config.handlers.get(name)
        if not isinstance(spec, NetworkHandlerSpec):
            continue
        if facts.is_broken(("handlers", name)) or facts.is_broken(("queue",)):
            continue
        queue = _queue(facts, spec)
        if _is_unknown(facts.node.at(("queue",))) or any(
            _is_unknown(entry.at((key,))) for key in ("queue", "batch")
        ):
            continue
        for key in ("max_records", "max_bytes"):
            found = _overfull(facts, name, key, queue, spec)
            if found is not None and found.span not in told:  # one queue for all is told once
                told.add(found.span)
                yield found


def _overfull(
    facts: Facts, name: str, key: str, queue: QueueSpec, spec: NetworkHandlerSpec
) -> Diagnostic | None:
    from logroute.delivery.queue import SHED_SHARE

    path: Path = ("handlers", name)
    share = SHED_SHARE if (queue.overflow or "shed") == "shed" else 1.0
    room, wanted = int(getattr(queue, key) * share), getattr(spec.batch, key)
    written = facts.node.at((*path, "batch", key))
    if wanted <= room or (key == "max_bytes" and written is None):
        return None  # with their usual size, the default number of records is full before
    place = _first_place(facts, [(*path, "batch", key), (*path, "queue", key), ("queue", key)])
    things = "records" if key == "max_records" else "bytes"
    message = f"{subject(path)} never fills a batch of {wanted} {things}: its queue holds {room}"
    message += " below WARNING" if share < 1 else ""
    if key == "max_bytes":
        return warning("LR803", message, place, "give the queue more room, or the batch less")
    fix = None if written is None else replace(written, max(1, room), is_safe=False)
    cure = f"write `max_records: {max(1, room)}` in `batch`, or give the queue more room"
    return warning("LR803", message, place, cure, fix)


def _queue(facts: Facts, spec: HandlerSpec) -> QueueSpec:
    """Return a handler's queue options as building puts them together."""
    return QueueSpec.joined(facts.config.queue, spec.queue)


def _is_unknown(node: Node | None) -> bool:
    """Return whether a mapping, or one of its values, is not known here."""
    if node is None:
        return False
    values = node.value.values() if isinstance(node.value, dict) else ()
    return node.opaque or any(item.opaque for item in values)


def _first_place(facts: Facts, paths: list[Path]) -> Span:
    node = next((found for path in paths if (found := facts.node.at(path)) is not None), None)
    return facts.view.place(paths[0]) if node is None else node.span


@rule("LR804", Severity.WARNING)
def short_shutdowns(facts: Facts) -> Iterator[Diagnostic]:
    """Find ends that come before the last records are out (LR804).

    At exit all handlers get `shutdown_timeout` to deliver what waits; what is left
    then is lost, and named on stderr. A handler that is connecting or sending at
    that moment is not waited for::

        shutdown_timeout: 1s
        handlers:
          web: {type: http, url: "https://logs.example.org/", timeout: {connect: 10s}}

    Write `shutdown_timeout: 10s`, or let the handler give up sooner.
    """
    node = facts.node.at(("shutdown_timeout",))
    if node is None or node.opaque or facts.is_broken(("shutdown_timeout",)):
        return
    seconds = facts.config.shutdown_timeout
    if seconds < _SHORTEST_SHUTDOWN_S and facts.config.handlers:
        message = f"all handlers together get {format_duration(seconds)} to deliver what waits "
        message += "at exit, and the rest is lost"
        fix = replace(node, "5s", is_safe=False)
        yield warning("LR804", message, node.span, "write `shutdown_timeout: 5s`", fix)
        return
    longest, name, place = max(_patience(facts), default=(0.0, "", node.span))
    if longest > seconds:
        message = f"at exit {subject(('handlers', name))} is given up after "
        message += f"{format_duration(seconds)}, but may take {format_duration(longest)} "
        cure = f"write `shutdown_timeout: {format_duration(longest)}`, or a shorter "
        found = warning("LR804", f"{message}to connect", node.span, f"{cure}`timeout.connect`")
        yield found._replace(related=(("this handler is more patient", place),))


def _patience(facts: Facts) -> Iterator[tuple[float, str, Span]]:
    """Yield how long handlers are told to try to connect, and where."""
    for name, entry in handlers(facts):
        connect = entry.at(("timeout", "connect"))
        timeout = getattr(facts.config.handlers[name].sink, "timeout", None)
        if connect is None or connect.opaque or timeout is None:
            continue
        if not facts.is_broken(("handlers", name, "timeout", "connect")):
            yield timeout.connect, name, connect.span


@rule("LR805", Severity.WARNING)
def long_blocks(facts: Facts) -> Iterator[Diagnostic]:
    """Find queues that make the application wait for long (LR805).

    With `overflow: block` a call of a logger waits while the queue is full, up to
    `block_for`; with `mode: sync` each call waits until its record is delivered::

        handlers:
          web:
            type: http
            url: https://logs.example.org/
            queue: {overflow: block, block_for: 1m}

    Write `block_for: 1s`, or use `overflow: shed`, which drops the least important
    records first and counts them. That a handler on a network blocks for a short
    time is a remark only.
    """
    specs = facts.config.handlers
    networked = {  # where the application would wait for a network
        name
        for name, spec in specs.items()
        if isinstance(spec, NetworkHandlerSpec) and spec.spool is None
    }
    if facts.config.queue is not None:
        yield from _blocked(facts, ("queue",), facts.config.queue, set(specs), networked)
    for name, _ in handlers(facts):
        path: Path = ("handlers", name, "queue")
        yield from _blocked(facts, path, _queue(facts, specs[name]), {name}, networked)


def _blocked(
    facts: Facts, path: Path, queue: QueueSpec, users: set[str], networked: set[str]
) -> Iterator[Diagnostic]:
    """Yield what a queue written at `path` makes the application wait for."""
    node = facts.node.at(path)
    if node is None or _is_unknown(node) or facts.is_broken(path):
        return
    what = "all handlers" if path == ("queue",) else subject(path[:2])
    mode, overflow, block_for = (node.at((key,)) for key in ("mode", "overflow", "block_for"))
    is_networked = not users.isdisjoint(networked)
    blocks = queue.overflow == "block" or (queue.overflow is None and bool(users - networked))
    if queue.mode == "sync" and is_networked and mode is not None:
        message = f"each call of the application waits until {what} has sent its record"
        fix = replace(mode, "thread", is_safe=False)
        yield warning("LR805", message, mode.span, "write `mode: thread`", fix)
    elif blocks and queue.block_for > _LONGEST_BLOCK_S and block_for is not None:
        message = f"the application waits for {what} up to "
        message += f"{format_duration(queue.block_for)} when the queue is full"
        fix = replace(block_for, "1s", is_safe=False)
        yield warning("LR805", message, block_for.span, "write `block_for: 1s`", fix)
    elif queue.overflow == "block" and is_networked and overflow is not None:
        message = f"the application waits for the network when the queue of {what} is full"
        fix = replace(overflow, "shed", is_safe=False)
        cure = "use `overflow: shed`, which drops the least important records and counts them"
        yield info("LR805", message, overflow.span, cure, fix)


@rule("LR807", Severity.WARNING)
def inverted_backoffs(facts: Facts) -> Iterator[Diagnostic]:
    """Find retries whose limits contradict each other (LR807).

    After a failure a handler waits at most `initial`, then `factor` times as much
    at each further one, never more than `max`; and gives the batch up after
    `give_up_after`::

        handlers:
          web: {type: http, url: "https://logs.example.org/", retry: {initial: 1m, max: 30s}}

    Write `initial: 1s`, or a longer `max`. With `give_up_after: 0s` nothing is tried
    again, so that a moment's trouble loses a batch.
    """
    for name, entry in handlers(facts):
        path: Path = ("handlers", name, "retry")
        node = entry.at(("retry",))
        spec = facts.config.handlers[name]
        if not isinstance(spec, NetworkHandlerSpec) or node is None or facts.is_broken(path):
            continue
        if not _is_unknown(node):
            yield from _inverted(facts, path, spec)


def _inverted(facts: Facts, path: Path, spec: NetworkHandlerSpec) -> Iterator[Diagnostic]:
    retry, what = spec.retry, subject(path[:2])
    initial, limit, end = (
        facts.node.at((*path, key)) for key in ("initial", "max", "give_up_after")
    )
    first, longest = format_duration(retry.initial), format_duration(retry.max)
    last = format_duration(retry.give_up_after)
    if retry.initial > retry.max:
        place = (limit or initial or facts.node).span
        message = f"{what} begins with waits of {first}, but never waits more than {longest}"
        cure = f"write `max: {first}` or more, or a shorter `initial`"
        yield warning("LR807", message, place, cure)
    if end is None:
        return
    if retry.give_up_after == 0:
        message = f"{what} tries nothing again: a moment's trouble loses a batch"
        fix = replace(end, "5m", is_safe=False)
        yield info("LR807", message, end.span, "write `give_up_after: 5m`", fix)
    elif retry.give_up_after < min(retry.initial, retry.max):
        message = f"{what} gives a batch up after {last}, before the first wait of {first} is over"
        fix = replace(end, "5m", is_safe=False)
        yield warning("LR807", message, end.span, "write `give_up_after: 5m`", fix)


ADVICE = (
    blocking_handlers,
    mails_per_record,
    batches_over_queues,
    short_shutdowns,
    long_blocks,
    mails_of_low_levels,
    inverted_backoffs,
    idle_filters,
)
