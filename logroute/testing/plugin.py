"""The pytest plugin: collects the tests of `*.test.yaml` files and of configs.

pytest imports this in every run of everybody who has logroute installed, so it
does nothing but look at names; `items.py` comes with the first file of tests.

pytest rewrites the assertions of every module of a distribution that has a plugin.
Here that is of no use, since nothing of ours asserts for tests; it makes the first
import slow; and a thread of ours that imports late, as the first mail does, would
compile syntax trees beside one that formats tracebacks, which Python 3.11 does not
bear (`SystemError: AST constructor recursion depth mismatch`, CPython gh-106905). So
during a run Python itself finds our modules, all but those that this one needs.
"""

import fnmatch
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from logroute.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = [
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_load_initial_conftests",
    "pytest_unconfigure",
]

_ENDINGS = (".test.yaml", ".test.yml", ".test.json", ".test.toml")
_CONFIGS = (".yaml", ".yml", ".json", ".toml")


class _AsWritten:
    """Finds our modules before pytest's finder does, which would rewrite them."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module of ours, None for any other."""
        return PathFinder.find_spec(name, path, target) if name.startswith("logroute.") else None


_as_written = _AsWritten()


def pytest_load_initial_conftests() -> None:
    """Take our modules out of pytest's hands, before a conftest imports any."""
    sys.meta_path.insert(0, _as_written)


def pytest_unconfigure() -> None:
    """Leave the finders as they were."""
    if _as_written in sys.meta_path:  # not where a conftest named this plugin
        sys.meta_path.remove(_as_written)


def pytest_addoption(parser: "pytest.Parser") -> None:
    """Declare our settings."""
    parser.addini(
        "logroute_tests",
        "Globs of the configs whose `tests:` are run, such as config/logging.yaml; "
        "*.test.yaml files are found by themselves.",
        type="args",
        default=[],
    )


def pytest_collect_file(file_path: Path, parent: Any) -> "pytest.Collector | None":
    """Return the collector of a file with tests of ours, None for any other."""
    name = file_path.name
    if not name.endswith(_CONFIGS):
        return None
    is_named = parent.session.isinitpath(file_path)
    if not (name.endswith(_ENDINGS) or is_named or _is_listed(file_path, parent.config)):
        return None
    from logroute.testing.items import collector

    return collector(file_path, parent)


def _is_listed(path: Path, config: "pytest.Config") -> bool:
    """Return whether a glob of `logroute_tests` names the file."""
    globs = config.getini("logroute_tests")
    if not globs:
        return False
    try:
        relative = path.relative_to(config.rootpath).as_posix()
    except ValueError:
        return False
    return any(fnmatch.fnmatchcase(relative, glob) for glob in globs)
