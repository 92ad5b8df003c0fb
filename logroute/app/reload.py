"""The running config: how it starts, and how the next one takes its place.

Everything new is built first; then one barrier in the intake puts it in force
between two records. Whoever reloads runs this, one at a time: a thread of the
application, or the one that watches the file.
"""

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence

from logroute.app.build import Built, Former, build
from logroute.app.changes import Changes, compare, resources_of
from logroute.app.tree import Tree
from logroute.config.load import Loaded, load
from logroute.config.model import Config
from logroute.config.source import Source, noted, read_path
from logroute.diagnostics import Diagnostic, Severity, Span, error
from logroute.engine.notices import describe
from logroute.engine.reloaded import Outcome, Reloaded
from logroute.engine.runtime import Runtime
from logroute.errors import ConfigError
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.app.signals import Signals
    from logroute.app.statsdoor import StatsDoor
    from logroute.app.watch import Watcher

__all__ = ["Running"]

#: Contents of the files that a config was made of, by absolute path.
Reads = Mapping[str, bytes | None]
#: How long a swap waits at least for what was logged before it to be routed.
SWAP_S = 5.0


class Running:
    """A config in force: its runtime, where it came from, and what changes it."""

    def __init__(
        self,
        loaded: Loaded,
        reads: Reads,
        *,
        profile: str | None,
        imports: str | Sequence[str],
        watch: bool,
        tree: Tree,
    ) -> None:
        """Build and attach what was loaded.

        Raises:
            ConfigError: a part cannot be built; nothing has changed then.
        """
        assert loaded.config is not None and loaded.node is not None
        self.config: Config = loaded.config
        self._tree = tree
        self._profile, self._imports, self._watch = profile, imports, watch
        self._source = loaded.source
        self._watcher: Watcher | None = None
        self._signals: Signals | None = None
        self._door: StatsDoor | None = None
        self._built: Built = build(loaded.config, loaded.node, imports)
        self.runtime: Runtime = self._built.runtime
        tree.attach(self.runtime, self.config, self._built.levels, self._built.filters)
        self.runtime.publish()
        self.runtime.on_shutdown(self._stop_watching)
        self._follow(reads, is_good=True)
        self._show_stats(loaded)

    def replace(
        self,
        loaded: Loaded,
        reads: Reads,
        *,
        profile: str | None,
        imports: str | Sequence[str],
        watch: bool,
    ) -> None:
        """Put in force what was loaded from another source, and wait for what it replaces.

        Raises:
            ConfigError: a part cannot be built; the old config runs on.
            TimeoutError: the dispatcher does not come round; the old config runs on.
        """
        self._adopt(loaded, imports)
        self._profile, self._imports, self._watch = profile, imports, watch
        self._source = loaded.source
        self._follow(reads, is_good=True)

    def reload(self) -> Reloaded:
        """Read the config again, put it in force if it is good, and say what became of it."""
        before = self.runtime.reloads["last"]
        with noted() as reads:
            try:
                loaded = self._load()
                reloaded = self._refusal(loaded) or self._adopt(loaded, self._imports)
            except ConfigError as fault:
                reloaded = Reloaded(Outcome.KEPT_OLD, errors=tuple(fault.diagnostics))
            except Exception as fault:
                reloaded = self._unexpected(describe(fault))
        self.runtime.note_reload(reloaded)
        self._follow(reads, is_good=reloaded.outcome is not Outcome.KEPT_OLD)
        self._tell(reloaded, before)
        return reloaded

    # -- reading

    @property
    def name(self) -> str:
        """How messages call the config."""
        return self._source.name if self._source is not None else "<config>"

    def _load(self) -> Loaded:
        source = self._source
        assert source is not None
        if source.path is None:
            return load(source, profile=self._profile)
        found: list[Diagnostic]
        now: Source | None
        now, found = read_path(source.path, source.name, source.syntax)
        if now is None:
            return Loaded(None, tuple(found), None, None)
        return load(now, profile=self._profile)

    def _refusal(self, loaded: Loaded) -> Reloaded | None:
        if loaded.config is None or loaded.node is None:
            errors = tuple(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
            return Reloaded(Outcome.KEPT_OLD, errors=errors)
        if loaded.config.incremental:
            return self._unexpected("`incremental: true` is no whole config to reload")
        return None

    def _unexpected(self, text: str) -> Reloaded:
        fault = error("LR903", text, Span(self.name, 1, 1, 1, 1))
        return Reloaded(Outcome.KEPT_OLD, errors=(fault,))

    # -- changing over

    def _adopt(self, loaded: Loaded, imports: str | Sequence[str]) -> Reloaded:
        """Put what was loaded in force, unless it is what runs."""
        config, node = loaded.config, loaded.node
        assert config is not None and node is not None
        if config == self.config:
            if not self._tree.is_whole():  # basicConfig(force=True), or the like, took us off
                built = self._built
                self._tree.attach(self.runtime, config, built.levels, built.filters)
            return Reloaded(Outcome.UNCHANGED, kept=tuple(config.handlers))
        changes = compare(self.config, config, may_share_foreign=imports == self._imports)
        filters = {name: self._built.filters[name] for name in changes.filters}
        former = Former(self.runtime, filters, changes.going_on)
        built = build(config, node, imports, None, former)
        try:
            self._exchange(config, built, changes)
        except BaseException:
            if self.runtime.workers is not built.parts.routing.workers:
                built.give_up()
            raise
        self._show_stats(loaded)
        return Reloaded(Outcome.SWAPPED, *changes[:5])

    def _exchange(self, config: Config, built: Built, changes: Changes) -> None:
        runtime, parts = self.runtime, built.parts
        move = self._tree.prepare(runtime, config, built.levels, built.filters)
        going = [runtime.workers[n] for n in self.config.handlers if n not in changes.going_on]
        then = _successions(self.config, config, changes, built)
        drain_s = runtime.shutdown_timeout_s
        swap_s = max(drain_s, SWAP_S)
        # A child that is forked before all is settled has to know of both.
        runtime.changing = (*going, *parts.routing.workers.values())
        move.begin()
        try:
            if not runtime.swap(parts, swap_s):
                text = f"the dispatcher has not come round in {swap_s:g} s"
                raise TimeoutError(f"{text}; the old config runs on")
        except BaseException:
            if runtime.workers is not parts.routing.workers:
                runtime.changing = ()
                move.give_up()
                raise
        runtime.retired.add(going, then, drain_s, runtime.after_intake)
        runtime.changing = ()
        move.finish()
        runtime.publish(changes.removed)
        self.config, self._built = config, built

    # -- following the file

    def _follow(self, reads: Reads, *, is_good: bool) -> None:
        """Watch what was read, and heed signals, as the config in force says."""
        options = self.config.reload
        if self._watch or options is not None:
            from logroute.app.watch import EVERY_S, Watcher

            if self._watcher is None:
                self._watcher = Watcher(self.runtime)
            self._watcher.every_s = EVERY_S if options is None else options.every
            self._watcher.follow(reads, is_good=is_good)
            self._watcher.start()
        elif self._watcher is not None:
            self._watcher.stop(waits=False)  # it may be waiting for its turn to reload
            self._watcher = None
        signal_name = None if options is None else options.signal
        if self.config.flush_on or signal_name or self._signals is not None:
            from logroute.app.signals import Signals

            if self._signals is None:
                self._signals = Signals(self.runtime)
            self._signals.heed(self.config.flush_on, signal_name, self._watcher)

    def _show_stats(self, loaded: Loaded) -> None:
        """Show the counters as the config in force says."""
        if self.config.stats is None and self._door is None:
            return
        from logroute.app.statsdoor import StatsDoor, secrets_of

        if self._door is None:
            self._door = StatsDoor(self.runtime)
        assert loaded.node is not None
        self._door.obey(self.config.stats, secrets_of(loaded.node))

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None
        if self._signals is not None:
            self._signals.give_back()
            self._signals = None

    # -- telling

    def _tell(self, reloaded: Reloaded, before: str | None) -> None:
        """Log the outcome, through the config in force."""
        logger = logging.getLogger("logroute")
        if reloaded.outcome is Outcome.KEPT_OLD:
            text = "%s cannot be used, the config of before stays in force: %s"
            logger.error(text, self.name, reloaded.text)
        elif reloaded.outcome is Outcome.UNCHANGED and before == Outcome.KEPT_OLD.value:
            logger.info("%s is again as it runs", self.name)
        else:
            logger.info("%s read again: %s", self.name, reloaded.text)


def _successions(
    old: Config, new: Config, changes: Changes, built: Built
) -> dict[str, list[Callable[[], None]]]:
    """Hold the new workers that use what a replaced one uses; return who lets them go.

    Two threads that append to the same file, or speak to the same server, would mix
    the last records of before with the first of now. Records wait in the queue of
    the new worker meanwhile, as for a slow destination.
    """
    going = {
        name: resources_of(spec)
        for name, spec in old.handlers.items()
        if name not in changes.going_on
    }
    then: dict[str, list[Callable[[], None]]] = {}
    for name, spec in new.handlers.items():
        worker = built.parts.routing.workers[name]
        if name in changes.going_on or worker.is_sync:
            continue
        mine = resources_of(spec)
        before = [other for other, theirs in going.items() if mine & theirs]
        if before:
            worker.hold()
            release = _after(len(before), worker.let_go)
            for other in before:
                then.setdefault(other, []).append(release)
    return then


def _after(count: int, call: Callable[[], None]) -> Callable[[], None]:
    """Return what calls `call` when it has been called `count` times."""
    left = itertools.count(count - 1, -1)

    def once_less() -> None:
        if next(left) == 0:
            call()

    return once_less
