"""The process-wide runtime behind `configure()`, and the other public functions.

Everything heavy is imported by the function that needs it.
"""

import os
import threading
from collections.abc import Mapping, Sequence

from logroute.collector import paused_collector
from logroute.errors import ConfigError
from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logroute.app.reload import Running
    from logroute.app.tree import Tree
    from logroute.config.model import Config
    from logroute.diagnostics import Diagnostic
    from logroute.engine.reloaded import Reloaded
    from logroute.engine.runtime import Runtime

__all__ = [
    "check",
    "configure",
    "current",
    "dictConfig",
    "flush",
    "load",
    "reload",
    "shutdown",
    "stats",
]

Source = str | os.PathLike[str] | Mapping[str, Any]

_running: "Running | None" = None
_tree: "Tree | None" = None
#: Held while the loggers change over; never by a thread that only logs.
_changing = threading.RLock()


def _forget_lock() -> None:
    global _changing
    _changing = threading.RLock()  # the thread that held it is not in a forked child


os.register_at_fork(after_in_child=_forget_lock)


def configure(
    source: Source | None = None,
    *,
    profile: str | None = None,
    watch: bool = False,
    imports: str | Sequence[str] = "any",
) -> "Runtime":
    """Read, check and start a config; the loggers' records flow into it from now on.

    A config that runs already is replaced in place: everything new is built first,
    then put in force between two records. Handlers that both describe alike go on
    with their connections, files and queues; the others drain before this returns,
    for at most `shutdown_timeout`. Configuring the same thing again changes nothing.

    Args:
        source: path of a YAML, JSON or TOML file, YAML text (several lines), or a
            mapping; None: the path in the environment variable LOGROUTE_CONFIG.
        profile: which of the file's `profiles` to lay over it; None: what the
            environment variable LOGROUTE_PROFILE names, if anything.
        watch: follow changes of the file and of all that it includes.
        imports: ``any``, or glob patterns of the dotted names (``class``, ``()``,
            ``ext://``) that the file may bring to life.

    Raises:
        ConfigError: the config cannot be used, with every fault in it; what ran
            before goes on running.
        ValueError: there is no file to watch.
    """
    global _running
    with paused_collector():  # modules, nodes and specs: nearly all of it stays
        from logroute.config.load import load as load_config
        from logroute.config.source import noted

        with noted() as reads:
            loaded = load_config(_named(source), profile=profile)
        if loaded.config is None or loaded.node is None:
            raise ConfigError(loaded.diagnostics)
        if loaded.config.incremental:
            return _apply_incremental(loaded.node.data(legacy=True))
        if watch and not reads:
            raise ValueError("watch=True needs a file to watch, not a text or a mapping")
        options: dict[str, Any] = {"profile": profile, "imports": imports, "watch": watch}
        with _changing:
            running = _running
            if running is not None and running.runtime.is_shut_down:
                _detach(running.runtime)  # another thread is at it
                running = None
            if running is None:
                from logroute.app.reload import Running

                running = _running = Running(loaded, reads, tree=_tree_of_loggers(), **options)
                runtime = running.runtime
                runtime.reload_with(lambda: _reload(runtime))
                runtime.on_shutdown(lambda: _detach(runtime))
                return runtime
            running.replace(loaded, reads, **options)
    running.runtime.retired.finish_by(running.runtime.shutdown_timeout_s)
    return running.runtime


def _reload(runtime: "Runtime") -> "Reloaded":
    with _changing:
        if _running is None or _running.runtime is not runtime:
            raise RuntimeError("this runtime is shut down")
        return _running.reload()


def _detach(runtime: "Runtime") -> None:
    """Bring the loggers back."""
    global _running
    with _changing:
        if _running is not None and _running.runtime is runtime:
            _tree_of_loggers().detach()
            _running = None


def _tree_of_loggers() -> "Tree":
    global _tree
    if _tree is None:
        from logroute.app.tree import Tree

        _tree = Tree()
    return _tree


def _named(source: Source | None) -> Source:
    if source is not None:
        return source
    path = os.environ.get("LOGROUTE_CONFIG")
    if not path:
        raise ValueError("name a config file, or set LOGROUTE_CONFIG")
    return path


def _apply_incremental(document: dict[str, Any]) -> "Runtime":
    """Change levels and propagation only; stdlib finds our handlers by their names."""
    import logging.config

    runtime = current()
    if runtime is None:
        raise ValueError("incremental: true changes a running config, but none runs")
    logging.config.dictConfigClass(document).configure()
    return runtime


def current() -> "Runtime | None":
    """Return the runtime that `configure` started last, or None."""
    return None if _running is None else _running.runtime


def dictConfig(config: Mapping[str, Any]) -> None:  # noqa: N802  (stdlib's name)
    """Configure logging from a dict, as `logging.config.dictConfig` does.

    A plain dict is handled by stdlib's own code, synchronously. A dict with any
    key of ours (`routes`, a handler with `type`, ...) goes to `configure`.

    Raises:
        ValueError: the dict cannot be used (`ConfigError` is one).
    """
    if _has_key_of_ours(config):
        configure(config)
        return
    import logging.config

    logging.config.dictConfigClass(dict(config)).configure()


def _has_key_of_ours(config: Mapping[str, Any]) -> bool:
    from logroute.config.decode import is_ours
    from logroute.config.parse import parse
    from logroute.config.source import from_dict

    if not isinstance(config, Mapping):
        return False
    node, _ = parse(from_dict(config))
    return node is not None and isinstance(node.value, dict) and is_ours(node.value)


def load(source: Source, *, profile: str | None = None) -> "Config":
    """Read and check a config; return it without starting anything.

    Raises:
        ConfigError: the config cannot be used, with every fault in it.
    """
    from logroute.config.load import load as load_config

    loaded = load_config(source, profile=profile)
    if loaded.config is None:
        raise ConfigError(loaded.diagnostics)
    return loaded.config


def check(source: Source, *, profile: str | None = None) -> "tuple[Diagnostic, ...]":
    """Return everything that is wrong or doubtful in a config, in file order.

    Opens nothing but the file and its includes, and imports nothing it names.
    """
    from logroute.config.load import load as load_config

    return load_config(source, profile=profile, read_secrets=False, advise=True).diagnostics


def stats() -> dict[str, Any]:
    """Return the counters of the current runtime; see `Runtime.stats`.

    Raises:
        RuntimeError: nothing is configured.
    """
    return _current().stats()


def flush(timeout: float | None = None) -> bool:
    """Wait until every record accepted so far is settled; see `Runtime.flush`.

    Raises:
        RuntimeError: nothing is configured.
    """
    return _current().flush(timeout)


def reload() -> "Reloaded":
    """Read the current config again and put it in force; see `Runtime.reload`.

    The outcome says what became of it: ``logroute.reload().outcome == "swapped"``.

    Raises:
        RuntimeError: nothing is configured.
    """
    return _current().reload()


def shutdown(timeout: float | None = None) -> dict[str, int]:
    """Drain and stop the current runtime, if there is one; see `Runtime.shutdown`."""
    runtime = current()
    return {} if runtime is None else runtime.shutdown(timeout)


def _current() -> "Runtime":
    runtime = current()
    if runtime is None:
        raise RuntimeError("logroute.configure() has not been called")
    return runtime
