"""What `logroute test` showed, for people and machines: one file per output format."""

from collections.abc import Sequence

from logroute.app.examples import Verdict
from logroute.app.suites import Suite
from logroute.cli.verdicts.coverage import Coverage
from logroute.diagnostics import Diagnostic
from logroute.light import NamedTuple

__all__ = ["Results"]


class Results(NamedTuple):
    """What a run of tests showed.

    Attributes:
        suites: the files, in the order they were run.
        verdicts: one for each test that ran.
        deselected: how many tests `-k` left out.
        coverage: for each config, where that was asked for.
        least: the coverage that was asked for, in percent.
    """

    suites: Sequence[Suite]
    verdicts: Sequence[Verdict]
    deselected: int = 0
    coverage: Sequence[Coverage] = ()
    least: float = 0.0

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return sum(not verdict.is_good for verdict in self.verdicts)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """Why files cannot be used, each fault once."""
        return list(dict.fromkeys(item for suite in self.suites for item in suite.diagnostics))

    @property
    def is_complete(self) -> bool:
        """Whether every file could be read, and there was anything to run."""
        return bool(self.verdicts) and not self.diagnostics

    @property
    def is_low(self) -> bool:
        """Whether a config is covered less than was asked for."""
        return any(item.percent < self.least for item in self.coverage)

    @property
    def exit_code(self) -> int:
        """0 all hold, 1 some do not or cover too little, 2 something could not be run."""
        if not self.is_complete:
            return 2
        return 1 if self.failed or self.is_low else 0
