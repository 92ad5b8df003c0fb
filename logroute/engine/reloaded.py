"""What became of a reload. Plain values; any thread."""

import enum

from logroute.diagnostics import Diagnostic, Severity
from logroute.light import NamedTuple

__all__ = ["Outcome", "Reloaded"]

#: Faults that a one-line text names; the others are counted.
_MOST_FAULTS = 3


class Outcome(enum.StrEnum):
    """How a reload ended."""

    #: The config says what it said before.
    UNCHANGED = "unchanged"
    #: The new config is in force.
    SWAPPED = "swapped"
    #: The new config cannot be used; the old one runs as before.
    KEPT_OLD = "kept_old"


class Reloaded(NamedTuple):
    """The outcome of a reload, and what it changed.

    Attributes:
        outcome: how it ended; equal to its name in lower case, such as ``"swapped"``.
        added: names of handlers that are new.
        removed: names of handlers that are gone.
        changed: names of handlers that are described otherwise than before.
        kept: names of handlers that go on as they are, with connection and queue.
        sections: other keys of the file that changed, such as ``routes``.
        errors: what is wrong with the new config, with its places.
    """

    outcome: Outcome
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    errors: tuple[Diagnostic, ...] = ()

    @property
    def text(self) -> str:
        """What there is to say of it, as one line."""
        if self.outcome is Outcome.KEPT_OLD:
            return _faults(self.errors)
        lists = {"added": self.added, "removed": self.removed, "changed": self.changed}
        parts = [
            f"{word} handlers {', '.join(f'`{name}`' for name in names)}"
            for word, names in lists.items()
            if names
        ]
        if self.sections:
            parts.append(f"changed {', '.join(f'`{name}`' for name in self.sections)}")
        return "; ".join(parts) or "nothing changed"


def _faults(errors: tuple[Diagnostic, ...]) -> str:
    grave = [item for item in errors if item.severity is Severity.ERROR]
    shown = [
        f"{item.span.file}:{item.span.line}:{item.span.column}: {item.code} {item.message}"
        for item in grave[:_MOST_FAULTS]
    ]
    if len(grave) > _MOST_FAULTS:
        shown.append(f"and {len(grave) - _MOST_FAULTS} more errors")
    return "; ".join(shown)
