"""Runs `logroute check` in this process, in an empty directory."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from logroute.cli import main

GOOD = """\
version: 1
handlers:
  out: {type: console}
root: {level: INFO}
routes: [{to: [out]}]
"""
#: An unused handler: a warning at 4:3.
WARNED = GOOD.replace("root:", "  idle: {type: console}\nroot:")
#: A misspelt level: an error at 4:15.
BROKEN = GOOD.replace("level: INFO", "level: INGO")
#: A path that depends on the working directory: a remark at 3:28.
REMARKED = GOOD.replace("{type: console}", "{type: file, path: app.log}")

_VARIABLES = (
    "NO_COLOR FORCE_COLOR CLICOLOR_FORCE GITHUB_ACTIONS GITHUB_WORKSPACE "
    "LOGROUTE_CONFIG LOGROUTE_PROFILE LOGROUTE_DEBUG"
)


class Result(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def codes(self) -> list[str]:
        """The codes in a text or concise report."""
        return re.findall(r"^\S+: \w+\[(LR\d+)\]: ", self.out, re.MULTILINE)

    @property
    def json(self):
        """The one document of a JSON report."""
        return json.loads(self.out)


class Checker:
    """Writes files and checks them."""

    def __init__(self, folder: Path, read: Callable[[], tuple[str, str]]) -> None:
        self.folder = folder
        self.read = read

    def write(self, name: str, text: str | bytes = GOOD) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def __call__(self, *arguments: str, command: str = "check") -> Result:
        try:
            code = main([command, *map(str, arguments)])
        except SystemExit as end:
            code = int(str(end.code))
        return Result(code, *self.read())


def checker(tmp_path, monkeypatch, capsys) -> Checker:
    monkeypatch.chdir(tmp_path)
    for name in _VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
    return Checker(tmp_path, capsys.readouterr)
