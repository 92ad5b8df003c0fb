"""What `check` found, for people and machines: one file per output format."""

from collections.abc import Sequence
from typing import NamedTuple

from logroute.diagnostics import Diagnostic, Severity

__all__ = ["FileReport", "Report"]


class FileReport(NamedTuple):
    """What was found in one file.

    Attributes:
        name: the file as it was given.
        texts: the text of it and of what it includes, by name, where readable.
        summary: what a good file holds, such as ``5 handlers, 3 routes``.
        is_complete: whether the check could be carried through.
    """

    name: str
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    summary: str
    is_complete: bool


class Report(NamedTuple):
    """What was found in all files of a run."""

    files: Sequence[FileReport]

    @property
    def is_complete(self) -> bool:
        """Whether every file could be checked."""
        return all(file.is_complete for file in self.files)

    @property
    def exit_code(self) -> int:
        """0 without errors, 1 with errors, 2 where a file could not be checked."""
        if not self.is_complete:
            return 2
        return 1 if self.count(Severity.ERROR) else 0

    def count(self, severity: Severity) -> int:
        """Return how many findings are of `severity`."""
        return sum(item.severity is severity for file in self.files for item in file.diagnostics)
