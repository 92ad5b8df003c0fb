"""Habits: what is accepted but hardly meant, and what comes later."""

from collections.abc import Iterator

from logroute.config.findings import tell
from logroute.config.rules.facts import Facts
from logroute.config.rules.rule import rule
from logroute.diagnostics import Diagnostic, Severity, error

__all__ = ["not_yet_available", "truthy_text", "unknown_stdlib_keys"]


@rule("LR190", Severity.ERROR)
def not_yet_available(facts: Facts) -> Iterator[Diagnostic]:
    """Find options and kinds whose machinery is not there yet (LR190).

    The whole language is known to the checker, but this version cannot do all of
    it. Passing over such a key in silence would break a promise, so it is an
    error::

        handlers:
          log: {type: file, path: app.log, rotate: {size: 10MiB}}

    Leave the key out, or wait for the version that has it.
    """
    yield from _told(facts, "LR190")
    for path in [("queue",), *(("handlers", name, "queue") for name in facts.config.handlers)]:
        overflow = facts.node.at((*path, "overflow"))
        if overflow is not None and overflow.value == "spool":
            yield error("LR190", "`overflow: spool` is not yet available", overflow.span)


@rule("LR901", Severity.WARNING)
def unknown_stdlib_keys(facts: Facts) -> Iterator[Diagnostic]:
    """Find keys that the standard library passes over in silence (LR901).

    A logger, the root logger, a formatter or filter written stdlib's way and the
    top of a plain dictConfig file may hold any key; what stdlib does not know has
    no effect, so a misspelt `propagate` stays true::

        loggers:
          app: {level: INFO, propogate: false}

    Correct the key, or remove it. In the parts of logroute an unknown key is an
    error (LR101).
    """
    return _told(facts, "LR901")


@rule("LR902", Severity.WARNING)
def truthy_text(facts: Facts) -> Iterator[Diagnostic]:
    """Find texts that stand where true or false is meant (LR902).

    To Python, and so to the standard library, every text that is not empty is
    true. This logger propagates, and its records are written twice::

        loggers:
          app: {handlers: [console], propagate: "no"}

    Write `true` or `false` without quotes.
    """
    return _told(facts, "LR902")


def _told(facts: Facts, code: str) -> Iterator[Diagnostic]:
    for problem in facts.view.found.problems:
        if problem.code == code:
            yield tell(facts.view, problem)


ADVICE = (unknown_stdlib_keys, truthy_text)
