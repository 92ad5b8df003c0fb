"""The pytest plugin: collects the tests of `*.test.yaml` files and of configs.

pytest imports this in every run of everybody who has logroute installed, so it
does nothing but look at names; `items.py` comes with the first file of tests.
"""

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

__all__ = ["pytest_addoption", "pytest_collect_file"]

_ENDINGS = (".test.yaml", ".test.yml", ".test.json", ".test.toml")
_CONFIGS = (".yaml", ".yml", ".json", ".toml")


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
