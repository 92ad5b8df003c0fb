"""Config -> Runtime: makes the live parts of everything that the file describes.

Building opens no file and connects nowhere; sinks do that at their first send.
Foreign handlers are the exception: their constructors do what they do.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from logroute.app.formats import default_formatter, known_formatter
from logroute.config.flow import route_table
from logroute.config.model import Config, Foreign, HandlerSpec, NetworkHandlerSpec
from logroute.config.nodes import Node
from logroute.delivery.queue import Queue
from logroute.delivery.specs import LOCAL_RETRY, BatchSpec, BreakerSpec, QueueSpec
from logroute.diagnostics import error
from logroute.engine.handler import HandlerFace
from logroute.engine.notices import Notices
from logroute.engine.parts import Parts
from logroute.engine.runtime import Runtime
from logroute.engine.worker import Worker
from logroute.errors import ConfigError
from logroute.levels import Levels
from logroute.light import TYPE_CHECKING, Any, NamedTuple
from logroute.records import copy_of
from logroute.sinks import Encoder, Format, Sink, SinkSpec, straight_of

if TYPE_CHECKING:
    from logroute.app.foreign import ForeignParts

__all__ = ["Built", "Former", "build"]


class Former(NamedTuple):
    """A running config, some parts of which go on in the next one.

    Attributes:
        runtime: what runs.
        filters: its filters that go on, by name.
        handlers: names of its handlers that go on.
    """

    runtime: Runtime
    filters: Mapping[str, Any]
    handlers: frozenset[str]


class Built(NamedTuple):
    """What building yields: the runtime, and what attaching it needs.

    Attributes:
        runtime: a new one that has the parts, or the former one, which has not yet.
        levels: the levels of the config.
        filters: its filters, by name.
        parts: its handlers and routes.
        give_up: closes what was built, where the parts are not put in force.
    """

    runtime: Runtime
    levels: Levels
    filters: dict[str, Any]
    parts: Parts
    give_up: Callable[[], None]


def build(
    config: Config,
    node: Node,
    imports: str | Sequence[str] = "any",
    notices: Notices | None = None,
    former: Former | None = None,
) -> Built:
    """Return the runtime that `config` describes, not yet attached to any logger.

    Args:
        config: a checked config.
        node: its document, for foreign parts and for the places of faults.
        imports: ``any``, or glob patterns of the dotted names it may import.
        notices: the internal lane; None: a new one, on stderr.
        former: what runs already and takes the parts later; None: a new runtime
            has them at once.

    Raises:
        ConfigError: a foreign part cannot be built; nothing has changed then.
    """
    forget_levels = _add_levels(config.levels)
    if former is not None:
        notices = former.runtime.notices
    builder = _Builder(config, node, imports, notices or Notices(), former)

    def give_up() -> None:
        builder.give_up()
        forget_levels()

    try:
        builder.build()
    except BaseException:
        give_up()
        raise
    return Built(builder.runtime, builder.levels, builder.filters, builder.parts, give_up)


def _add_levels(levels: Mapping[str, int]) -> Callable[[], None]:
    """Tell stdlib the names of `levels`; return what takes them back."""
    tables: list[tuple[dict[Any, Any], Any, Any]] = []
    for name, number in levels.items():
        tables.append((logging._levelToName, number, logging._levelToName.get(number)))
        tables.append((logging._nameToLevel, name, logging._nameToLevel.get(name)))
        logging.addLevelName(number, name)

    def forget() -> None:
        for table, key, former in reversed(tables):
            if former is None:
                table.pop(key, None)
            else:
                table[key] = former

    return forget


class _Builder:
    """Builds the parts of one config, in the order in which they need each other."""

    def __init__(
        self,
        config: Config,
        node: Node,
        imports: str | Sequence[str],
        notices: Notices,
        former: Former | None,
    ) -> None:
        self.config = config
        self.levels = Levels(config.levels)
        self.filters: dict[str, Any] = dict(former.filters) if former else {}
        self.parts = Parts(
            route_table(config, self.levels),
            context=config.context,
            shutdown_timeout_s=config.shutdown_timeout,
            keeps_unmatched_quiet=config.unmatched is not None,
        )
        self._former = former
        self._node = node
        self._imports = imports
        self._foreign_parts: ForeignParts | None = None
        self._formats: dict[str, tuple[logging.Formatter, bool]] = {}
        self._notices = notices
        self._own_threads: set[int] = former.runtime.own_threads if former else set()
        self._workers: list[Worker] = []
        self.runtime = former.runtime if former else self._new_runtime()

    def give_up(self) -> None:
        """Close what was built: foreign handlers open files as they are made."""
        for worker in self._workers:
            worker.close_sink(0)

    @property
    def _foreign(self) -> "ForeignParts":
        if self._foreign_parts is None:  # few configs need it
            from logroute.app.foreign import ForeignParts

            self._foreign_parts = ForeignParts(self._node, self._imports)
            for name, (formatter, _) in self._formats.items():
                self._foreign_parts.share("formatters", name, formatter)
        return self._foreign_parts

    def _new_runtime(self) -> Runtime:
        return Runtime(
            self.parts.routing.table,
            {},
            notices=self._notices,
            own_threads=self._own_threads,
        )

    def build(self) -> None:
        """Make all parts; a new runtime has them then."""
        self._build_formatters()
        self._build_filters()
        first, later = self._in_order()
        for name in first:
            self._add(name, self._worker(name, self.config.handlers[name]))
        for name in self._after_their_targets(later):
            for other, face in self.parts.faces.items():
                self._foreign.share("handlers", other, self._lasting(other, face))
            worker = self._worker(name, self.config.handlers[name])
            worker.feeds_others = True
            self._add(name, worker)
        self._link_fallbacks()
        self._give_routes_their_filters()
        if self._former is None:
            self.runtime.install(self.parts)

    def _link_fallbacks(self) -> None:
        """Tell the new handlers who takes what they give up.

        One that goes on knows; of its fallback it is the name that counts.
        """
        for name, spec in self.config.handlers.items():
            fallback = spec.fallback if isinstance(spec, NetworkHandlerSpec) else None
            if fallback is not None and not self._goes_on(name):
                workers = self.parts.routing.workers
                with self._place("handlers", name):
                    workers[name].fall_back_to(workers[fallback], self.runtime.dispatcher.handover)
            sink: Any = spec.sink
            if getattr(sink, "is_ring", False) and not self._goes_on(name):
                ring: Any = self.parts.routing.workers[name]
                with self._place("handlers", name):
                    ring.link(self.parts.routing.workers[sink.target], self.runtime)

    def _give_routes_their_filters(self) -> None:
        routing = self.parts.routing
        for name in {name for route in self.config.routes or () for name in route.filters}:
            is_ours = _is_ours(self.config.filters[name])
            (routing.filters if is_ours else routing.gates)[name] = self.filters[name]

    def _lasting(self, name: str, face: logging.Handler) -> logging.Handler:
        """Return the face that stands for a handler from now on: a known one stays."""
        return self.runtime.handlers.get(name, face)

    def _in_order(self) -> tuple[list[str], list[str]]:
        first: list[str] = []
        later: list[str] = []
        for name, spec in self.config.handlers.items():
            entry = spec.sink.entry if isinstance(spec.sink, Foreign) else {}
            (later if "target" in entry or "handlers" in entry else first).append(name)
        return first, later

    def _after_their_targets(self, names: Sequence[str]) -> list[str]:
        """Return handlers that refer to handlers, each behind those it refers to."""
        if not names:
            return []
        from graphlib import CycleError, TopologicalSorter

        targets: dict[str, list[str]] = {}
        for name in names:
            entry: Any = self.config.handlers[name].sink
            words = [entry.entry.get("target"), *(entry.entry.get("handlers") or ())]
            targets[name] = [word for word in words if word in names]
        try:
            return list(TopologicalSorter(targets).static_order())
        except CycleError as fault:
            circle = " -> ".join(f"`{name}`" for name in fault.args[1])
            parent = self._node.at(["handlers"])
            span = parent.keys[fault.args[1][0]] if parent is not None else self._node.span
            message = f"handlers refer to each other in a circle: {circle}"
            raise ConfigError([error("LR903", message, span)]) from fault

    def _add(self, name: str, worker: Worker) -> None:
        spec = self.config.handlers[name]
        encoder = spec.sink.encoder if isinstance(spec.sink, SinkSpec) else None
        level = self.levels.number(spec.level)
        face = self.runtime.handlers[name] if self._goes_on(name) else self._face(worker, spec)
        self.parts.add(worker, face, level, encoder)

    def _face(self, worker: Worker, spec: HandlerSpec) -> HandlerFace:
        face = HandlerFace(self.runtime, worker, self.levels.number(spec.level))
        for filter_name in spec.filters:
            filter = self.filters[filter_name]
            if not _is_ours(self.config.filters[filter_name]):
                face.addFilter(filter)
        if isinstance(spec.sink, Foreign):
            self._foreign.lend(worker.name, face)
        return face

    def _goes_on(self, name: str) -> bool:
        return self._former is not None and name in self._former.handlers

    def _build_formatters(self) -> None:
        for name, spec in self.config.formatters.items():
            with self._place("formatters", name):
                formatter = known_formatter(spec)
            if formatter is not None:
                self._formats[name] = (formatter, False)
            elif isinstance(spec, Foreign):
                formatter = self._foreign.formatter(name, spec.entry)
                # stdlib's own class cannot stall the dispatcher; other people's may.
                self._formats[name] = (formatter, type(formatter) is not logging.Formatter)
            if self._foreign_parts is not None:
                self._foreign_parts.share("formatters", name, self._formats[name][0])

    @contextlib.contextmanager
    def _place(self, family: str, name: str) -> Iterator[None]:
        """Tell where in the file a part is that cannot be made."""
        try:
            yield
        except (ValueError, TypeError) as fault:
            parent = self._node.at([family])
            span = parent.keys[name] if parent is not None else self._node.span
            message = f"{family[:-1]} `{name}` cannot be built: {fault}"
            raise ConfigError([error("LR903", message, span)]) from fault

    def _build_filters(self) -> None:
        for name, spec in self.config.filters.items():
            if name in self.filters:
                continue
            if isinstance(spec, Foreign):
                self.filters[name] = self._foreign.filter(name, spec.entry)
            else:
                with self._place("filters", name):
                    self.filters[name] = spec.filter()

    def _worker(self, name: str, spec: HandlerSpec) -> Worker:
        if self._goes_on(name):
            return self.runtime.workers[name]
        if isinstance(spec.sink, Foreign):
            return self._foreign_worker(name, spec, spec.sink)
        sink_spec = spec.sink
        format, encodes_late = self._format(spec.formatter, sink_spec.default_formatter)
        network = spec if isinstance(spec, NetworkHandlerSpec) else None
        worker = self._assemble(
            name,
            spec,
            sink_spec.sink,
            sink_spec.encoder(format),
            encodes_late=encodes_late,
            is_networked=sink_spec.networked,
            batch=None if network is None else _batch(network.batch, sink_spec.is_digest),
            retry=LOCAL_RETRY if network is None else network.retry,
            breaker=None if network is None else network.breaker or BreakerSpec(),
            dead_letter=None if network is None else network.dead_letter,
            is_digest=sink_spec.is_digest,
            **self._ring_options(sink_spec),
            **_spool_options(network),
        )
        if len(worker.chain) == 1:  # a spool keeps more
            worker.reads = sink_spec.reads(format)
            if not encodes_late:
                worker.make_straight = functools.partial(straight_of, format, sink_spec.frame())
        return worker

    def _ring_options(self, sink: Any) -> dict[str, Any]:
        """Return who makes worker and queue of a handler that keeps its records."""
        if not getattr(sink, "is_ring", False):
            return {}
        from logroute.app.rings import RingWorker, make_ring  # few configs need it

        level = self.levels.number(sink.flush_level)
        return {
            "make": functools.partial(RingWorker, spec=sink),
            "make_queue": make_ring(sink, level),
        }

    def _foreign_worker(self, name: str, spec: HandlerSpec, foreign: Foreign) -> Worker:
        from logroute.sinks.foreign import ForeignSink

        sink = ForeignSink(self._foreign.handler(name, foreign.entry))
        return self._assemble(
            name,
            spec,
            lambda: sink,
            copy_of,  # other handlers' threads format the same record meanwhile
            is_networked=not sink.is_local,
        )

    def _assemble(
        self,
        name: str,
        spec: HandlerSpec,
        make_sink: Callable[[], Sink],
        encode: Encoder,
        *,
        is_networked: bool,
        make: Callable[..., Worker] = Worker,
        make_queue: Callable[[QueueSpec, str], Queue] = Queue,
        **more: Any,
    ) -> Worker:
        queue = QueueSpec.joined(self.config.queue, spec.queue)
        is_local = not is_networked or getattr(spec, "spool", None) is not None  # first, that is
        overflow = queue.overflow or ("block" if is_local else "shed")
        ours = [
            (filter_name, self.filters[filter_name])
            for filter_name in spec.filters
            if _is_ours(self.config.filters[filter_name])
        ]
        worker = make(
            name,
            make_queue(queue, overflow),
            make_sink,
            encode,
            notices=self._notices,
            own_threads=self._own_threads,
            filters=tuple(ours),
            is_sync=queue.mode == "sync",
            is_networked=is_networked,
            **more,
        )
        self._workers.append(worker)
        return worker

    def _format(self, name: str | None, default: str) -> tuple[Format, bool]:
        if name is not None:
            formatter, encodes_late = self._formats[name]
            return formatter.format, encodes_late
        return default_formatter(default).format, False


def _spool_options(spec: NetworkHandlerSpec | None) -> dict[str, Any]:
    """Return who makes worker and queue of a handler with a spool."""
    if spec is None or spec.spool is None:
        return {}
    from logroute.engine.spooled import SpooledWorker, make_queue  # few configs need it

    return {"make": functools.partial(SpooledWorker, spool=spec.spool), "make_queue": make_queue}


def _is_ours(spec: object) -> bool:
    return not isinstance(spec, Foreign)


def _batch(spec: BatchSpec, is_digest: bool) -> BatchSpec:
    if spec.max_wait is not None:
        return spec
    return spec.replace(max_wait=60.0 if is_digest else 1.0)
