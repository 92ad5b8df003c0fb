"""What `check` found, for people and machines: one file per output format."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from logroute.config.guarantees import Guarantee
from logroute.config.nodes import Node
from logroute.diagnostics import Diagnostic, Severity
from logroute.light import NamedTuple

__all__ = ["FileReport", "Report"]


class FileReport(NamedTuple):
    """What was found in one file.

    Attributes:
        name: the file as it was given.
        diagnostics: the findings that are shown, by place.
        texts: the text of it and of what it includes, by name, where readable.
        summary: what a good file holds, such as ``5 handlers, 3 routes``.
        is_complete: whether the check could be carried through.
        hidden: how many remarks are left out, which `--verbose` would show.
        ignored: how many findings a comment in the file takes back.
        faults: what went wrong in the check itself.
        files: the names of all texts that were read.
        trees: the trees of texts, as far as they are known already, by name.
        unchecked: the names of its profiles, where it was not checked under any.
        handlers: what each handler promises, where the config can be used.
    """

    name: str
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    summary: str
    is_complete: bool
    hidden: int = 0
    ignored: int = 0
    faults: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    trees: Mapping[str, Node] = MappingProxyType({})
    unchecked: tuple[str, ...] = ()
    handlers: tuple[Guarantee, ...] = ()


class Report(NamedTuple):
    """What was found in all files of a run.

    Attributes:
        files: in the order they were given.
        is_strict: warnings count as errors do.
        faults: why the run as a whole could not be completed.
    """

    files: Sequence[FileReport]
    is_strict: bool = False
    faults: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every file could be checked."""
        return not self.faults and all(file.is_complete for file in self.files)

    @property
    def exit_code(self) -> int:
        """0 fine, 1 with errors (or warnings, if strict), 2 where something was not checked."""
        if not self.is_complete:
            return 2
        has_warnings = self.is_strict and self.count(Severity.WARNING)
        return 1 if self.count(Severity.ERROR) or has_warnings else 0

    @property
    def diagnostics(self) -> Iterator[Diagnostic]:
        """Every finding."""
        return (item for file in self.files for item in file.diagnostics)

    def count(self, severity: Severity) -> int:
        """Return how many findings are of `severity`."""
        return sum(item.severity is severity for item in self.diagnostics)

    def statistics(self) -> list[tuple[int, str]]:
        """Return how often each code was found, the most frequent first."""
        counts: dict[str, int] = {}
        for item in self.diagnostics:
            counts[item.code] = counts.get(item.code, 0) + 1
        return sorted(((n, code) for code, n in counts.items()), key=lambda x: (-x[0], x[1]))
