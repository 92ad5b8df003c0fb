"""Parts of the standard library: their classes, and what they do with each other."""

import importlib
import logging
from collections.abc import Iterator
from itertools import islice

from logroute.config.findings import subject
from logroute.config.nodes import Node, shown
from logroute.config.rules import arguments, values
from logroute.config.rules.libraries import misspelt_library_loggers
from logroute.config.rules.rule import rule
from logroute.config.views.calls import MISSING, calls, dotted_names, find, value_of
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Fix, Severity, error, warning
from logroute.hints import distance, nearest

__all__ = ["ADVICE"]

_FORMATTERS = ("logging.Formatter", "logging.BufferingFormatter")
_FILTERS = ("logging.Filter",)
_UNFINISHED = frozenset({"Handler", "BaseRotatingHandler", "_StderrHandler"})
# a program may add classes of its own to `logging`; a slip of one letter is none of them
_MOST = 500
_SURELY, _LIKELY = 1, 2


@rule("LR906", Severity.ERROR)
def unknown_classes(facts: Facts) -> Iterator[Diagnostic]:
    """Find names that the standard library's `logging` does not have (LR906).

    `StreamHandler`, `FileHandler` and `NullHandler` stand in `logging`, all other
    handlers in `logging.handlers`. dictConfig looks the name up when it loads the
    file, and refuses the file::

        handlers:
          log: {class: logging.RotatingFileHandler, filename: /var/log/shop/app.log}

    Write `logging.handlers.RotatingFileHandler`. Classes of other packages are not
    looked up: that would import them.
    """
    for family in ("handlers", "formatters", "filters"):
        good: set[str] = set()
        odd = (pair for pair in dotted_names(facts, family) if not _is_good(pair[1].value, good))
        for path, node in islice(odd, _MOST):
            yield from _of_class(family, node, subject(path[:2]))
    for name, entry in facts.section("handlers").items():
        for key, node in _links(entry):
            yield from _of_link(node, subject(("handlers", name, key)))


def _is_good(name: str, good: set[str]) -> bool:
    """Return whether a name needs no further look; note those that do not."""
    if name not in good and "." in name and not name.startswith("handlers."):
        if find(name) is MISSING:
            return False
        good.add(name)
    return name in good


def _of_class(family: str, node: Node, owner: str) -> Iterator[Diagnostic]:
    name = node.value
    bare = name.rpartition(".")[2]
    if name in (bare, f"handlers.{bare}"):
        yield from _of_bare(family, node, owner, bare)
    elif name.startswith("logging."):
        yield _missing(family, node, owner, bare)


def _of_bare(family: str, node: Node, owner: str, bare: str) -> Iterator[Diagnostic]:
    """Tell of a name without its module, as INI files have it; one may be called so."""
    from logroute.config.decode import FAMILIES

    kind = node.value
    if family == "handlers" and kind in FAMILIES["handler"].names():
        message = f"{owner}: `{kind}` is looked up as a module of its own"
        yield warning("LR906", message, node.span, f"did you mean `type: {kind}`?")
        return
    if not bare.endswith(("Handler", "Formatter", "Filter")):
        return
    right = next((name for name in _known(family) if name.endswith(f".{bare}")), None)
    if right is not None:
        message = f"{owner}: `{shown(node.value)}` is looked up as a module of its own"
        fix = _replaced(node, right, is_safe=False)
        yield warning("LR906", message, node.span, f"did you mean `{right}`?", fix)


def _missing(family: str, node: Node, owner: str, bare: str) -> Diagnostic:
    known = _known(family)
    right = next((name for name in known if name.endswith(f".{bare}")), None)
    slips = 0
    if right is None:
        bares = {name.rpartition(".")[2]: name for name in reversed(known)}
        best = nearest(bare, bares) or ""
        slips = distance(bare.casefold(), best.casefold(), _LIKELY)
        right = bares[best] if best and slips <= _LIKELY else None
    message = f"{owner}: `logging` has no `{shown(node.value.removeprefix('logging.'))}`"
    if right is None:
        cure = "a class that the program puts there is better named by its own module"
        return warning("LR906", message, node.span, cure)
    is_sure = slips <= _SURELY
    fix = _replaced(node, right, is_safe=is_sure)
    say = error if is_sure else warning
    return say("LR906", message, node.span, f"did you mean `{right}`?", fix)


def _replaced(node: Node, text: str, *, is_safe: bool = True) -> Fix | None:
    from logroute.config.views.fixes import replace  # only for a finding

    return replace(node, text, is_safe=is_safe)


def _known(family: str) -> list[str]:
    """Return the classes that an entry of a family may name."""
    if family != "handlers":
        return list(_FORMATTERS if family == "formatters" else _FILTERS)
    found = []
    for module in (logging, importlib.import_module("logging.handlers")):
        for name, item in vars(module).items():
            is_class = isinstance(item, type) and issubclass(item, logging.Handler)
            if is_class and item.__module__ == module.__name__ and name not in _UNFINISHED:
                found.append(f"{module.__name__}.{name}")
    return found


def _links(entry: Node) -> Iterator[tuple[str, Node]]:
    """Yield the ``ext://`` links among the arguments of a handler."""
    for key, node in entry.value.items() if isinstance(entry.value, dict) else ():
        is_text = isinstance(node.value, str) and not node.opaque
        if is_text and node.value.startswith("ext://"):
            yield key, node


def _of_link(node: Node, owner: str) -> Iterator[Diagnostic]:
    name = node.value.removeprefix("ext://")
    module, _, word = name.partition(".")
    if module != "sys" or word in values.STREAMS:
        return
    for stream in values.STREAMS:
        if distance(word.casefold(), stream, 1) <= _SURELY:
            message = f"{owner}: `sys` has no `{shown(word)}`"
            right = f"ext://sys.{stream}"
            fix = _replaced(node, right)
            yield error("LR906", message, node.span, f"did you mean `{right}`?", fix)


@rule("LR910", Severity.WARNING)
def classes_of_filters(facts: Facts) -> Iterator[Diagnostic]:
    """Find filters with a `class`, which dictConfig never looks at (LR910).

    Handlers and formatters have a `class`, filters do not: without `()` a filter
    is one by `name` of a logger, and an empty name lets every record pass. So
    this filter hides nothing::

        filters:
          hide-cards: {class: shop.logs.CardFilter, digits: 12}

    Write `(): shop.logs.CardFilter`; the other keys are its arguments.
    """
    for name, entry in facts.section("filters").items():
        keys = entry.value if isinstance(entry.value, dict) and not entry.opaque else {}
        if "class" not in keys or "()" in keys or "type" in keys:
            continue
        path = ("filters", name, "class")
        where = facts.view.place(path, of_key=True)
        message = f"{subject(path[:2])}: the standard library passes over the `class` of a filter"
        text = keys["class"].text
        cure = f'write `"()": {shown(text)}`' if text and not keys["class"].secret else "write `()`"
        from logroute.config.views.fixes import rename  # only for a finding

        fix = rename(facts, path, "()", is_safe=False)
        yield warning("LR910", message, where, cure, fix)


@rule("LR809", Severity.WARNING)
def buffers_without_target(facts: Facts) -> Iterator[Diagnostic]:
    """Find buffers that have nowhere to flush to (LR809).

    A `MemoryHandler` collects records and hands them to its `target` once an
    error comes, or it is full. Without a target they are never written, and stay
    in memory; a plain `BufferingHandler` throws them away::

        handlers:
          recent: {class: logging.handlers.MemoryHandler, capacity: 200}
          log: {class: logging.FileHandler, filename: /var/log/shop/app.log}

    Add `target: log`, the name of another handler.
    """
    for call in calls(facts):
        if call.cls.__name__ == "BufferingHandler":
            cure = "use `logging.handlers.MemoryHandler`, and give it a `target`"
            message = f"{subject(call.path)} throws away what it has collected"
        elif call.cls.__name__ == "MemoryHandler" and call.get("target") is None:
            others = [name for name in facts.section("handlers") if name != call.path[1]]
            name = shown(others[0]) if len(others) == 1 else "NAME"
            cure = f"add `target: {name}`" if others else "add a `target`, another handler's name"
            message = f"{subject(call.path)} has no `target`: what it collects is never written"
        else:
            continue
        yield warning("LR809", message, facts.view.place(call.path, of_key=True), cure)


@rule("LR810", Severity.WARNING)
def levels_behind_queues(facts: Facts) -> Iterator[Diagnostic]:
    """Find levels of handlers that stdlib would not look at behind a queue (LR810).

    A `QueueHandler` with `handlers` hands every record to each of them. The
    standard library looks at their levels only with `respect_handler_level`; here
    they always count. So one file writes less here than there::

        handlers:
          file: {class: logging.FileHandler, filename: /var/log/app.log, level: ERROR}
          queue: {class: logging.handlers.QueueHandler, handlers: [file]}

    Add `respect_handler_level: true`, or remove the levels. In a file that only
    logroute reads no queue is needed: each handler has its own.
    """
    for call in calls(facts):
        respects = call.get("respect_handler_level", False)
        if call.cls.__name__ != "QueueHandler" or "handlers" not in call.entry or respects:
            continue
        named = value_of(call.entry["handlers"])
        names = named if isinstance(named, list | tuple) else []
        with_level = [name for name in names if isinstance(name, str) and _has_level(facts, name)]
        if not with_level:
            continue
        first = shown(with_level[0])
        more = f" (and of {len(with_level) - 1} more)" if len(with_level) > 1 else ""
        message = (
            f"the level of handler `{first}`{more} behind {subject(call.path)} counts here, "
            "but not in the standard library"
        )
        from logroute.config.views.fixes import add  # only for a finding

        fix = add(facts, call.path, "respect_handler_level: true", is_safe=False)
        where = facts.view.place((*call.path, "handlers"))
        yield warning("LR810", message, where, "add `respect_handler_level: true`", fix)


def _has_level(facts: Facts, name: str) -> bool:
    spec = facts.config.handlers.get(name)
    if spec is None or facts.is_broken(("handlers", name, "level")):
        return False
    try:
        return facts.levels.number(spec.level) > 0
    except ValueError:
        return False


ADVICE = (
    unknown_classes,
    *arguments.ADVICE,
    *values.ADVICE,
    classes_of_filters,
    buffers_without_target,
    levels_behind_queues,
    misspelt_library_loggers,
)
