"""The house: imports point strictly downward; the public names are pinned."""

import ast
import subprocess
import sys
from pathlib import Path

import logroute

ROOT = Path(logroute.__file__).parent

#: Floors of the design. Rooms of one floor do not see each other, but for the ground.
FLOORS = {
    "cli": 4,
    "contrib": 4,
    "testing": 4,
    "__init__": 4,
    "__main__": 4,
    "app": 3,
    "config": 2,
    "engine": 2,
    "routing": 1.5,  # made of matchers; both wings ask it
    "matchers": 1,
    "filters": 1,
    "formatters": 1,
    "sinks": 1,
    "delivery": 1,
    "receivers": 1,
}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("logroute"):
            found.add(node.module)
            if node.module == "logroute":
                found |= {f"logroute.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("logroute")}
    return found


def test_imports_point_downward():
    """No module imports from its own floor's other rooms, or from above."""
    wrong = []
    for path in ROOT.rglob("*.py"):
        relative = path.relative_to(ROOT)
        here = relative.parts[0].removesuffix(".py")
        floor = FLOORS.get(here, 0)
        for module in imports_of(path):
            there = room_of(module)
            if module == "logroute" or there == here:
                continue
            above = FLOORS.get(there, 0)
            if above < floor or (above == floor == 0) or (here, there) == ("__main__", "cli"):
                continue
            wrong.append(f"{relative} imports {module}")
    assert wrong == []


def test_every_room_has_a_floor():
    """A new room must be given a floor, so that the rule above sees it."""
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms <= set(FLOORS)


def test_public_names_are_pinned():
    """What `from logroute import *` brings is decided, not accidental."""
    assert sorted(logroute.__all__) == [
        "ConfigError",
        "LogrouteError",
        "bind",
        "check",
        "configure",
        "current",
        "dictConfig",
        "flush",
        "load",
        "reload",
        "shutdown",
        "stats",
        "unbind",
    ]


HEAVY = ("jsonschema", "ssl", "http", "urllib3", "smtplib", "asyncio", "importlib.metadata")


def modules_after(code: str) -> set[str]:
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light():
    """`import logroute` brings in nothing heavy, not even yaml."""
    loaded = modules_after("import logroute")
    assert not loaded & {*HEAVY, "yaml", "logging.config", "dataclasses", "socket"}


def test_configure_is_light(tmp_path):
    """A good file with console and file handlers is configured without heavy modules."""
    text = (
        "version: 1\nformatters: {f: {format: '%(message)s'}}\n"
        "handlers: {a: {type: console, formatter: f}, b: {type: file, path: x.log}}\n"
        "root: {level: INFO}\nroutes: [{to: [a, b], match: {level: INFO, logger: x}}]\n"
    )
    loaded = modules_after(f"import logroute; logroute.configure({text!r})")
    assert not loaded & {*HEAVY, "logging.config", "dataclasses", "inspect", "socket", "uuid"}
