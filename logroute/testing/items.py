"""What pytest collects from a file of ours: one item for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from logroute.app.examples import Example, Verdict, describe, run
from logroute.app.explain import Explainer
from logroute.app.suites import has_tests, load_suite
from logroute.light import Any

__all__ = ["ConfigFile", "ExampleItem", "FailedError", "collector"]


def collector(path: Path, parent: Any) -> pytest.Collector | None:
    """Return the collector of `path`, None where the file is not ours."""
    return ConfigFile.from_parent(parent, path=path) if has_tests(str(path)) else None


class FailedError(Exception):
    """A test of ours failed; carries the verdict."""

    def __init__(self, verdict: Verdict) -> None:
        """Keep `verdict`."""
        super().__init__(verdict.example.id)
        self.verdict = verdict


class ConfigFile(pytest.File):
    """A config or a test file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield its tests; a file that cannot be used is told with every fault."""
        suite = load_suite(_from_here(self.path, self.config))
        if suite.explainer is None:
            raise self.CollectError("\n".join(str(item) for item in suite.diagnostics))
        for example in suite.examples:
            yield ExampleItem.from_parent(
                self, name=example.name, example=example, explainer=suite.explainer
            )


class ExampleItem(pytest.Item):
    """One test of a file."""

    def __init__(self, *, example: Example, explainer: Explainer, **more: Any) -> None:
        """Run `example` by `explainer`."""
        super().__init__(**more)
        self._example = example
        self._explainer = explainer

    def runtest(self) -> None:
        """Hold what becomes of the record against what is expected."""
        verdict = run(self._example, self._explainer)
        if not verdict.is_good:
            raise FailedError(verdict)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what did not hold, as `logroute test` tells it."""
        if isinstance(excinfo.value, FailedError):
            return "\n".join(describe(excinfo.value.verdict))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line (from 0) and name."""
        return self.path, self._example.node.span.line - 1, self.name


def _from_here(path: Path, config: pytest.Config) -> str:
    """Return a path as pytest's user would type it."""
    try:
        return os.path.relpath(path, config.invocation_params.dir)
    except ValueError:  # another drive
        return str(path)
