"""The house: imports point strictly downward; the public names are pinned."""

import ast
import importlib.util
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
        "AuditError",
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


PLAIN = (
    "version: 1\nformatters: {f: {format: '%(message)s'}}\n"
    "handlers: {a: {type: console, formatter: f}, b: {type: file, path: x.log}}\n"
    "root: {level: INFO}\nroutes: [{to: [a, b], match: {level: INFO, logger: x}}]\n"
)


def test_configure_is_light(tmp_path):
    """A good file with console and file handlers is configured without heavy modules."""
    loaded = modules_after(f"import logroute; logroute.configure({PLAIN!r})")
    assert not loaded & {*HEAVY, "logging.config", "dataclasses", "inspect", "socket", "uuid"}


#: What a start pays for only where the config, or a fault in it, asks for it.
NOT_AT_A_START = {
    *(
        "typing",
        "logroute.engine.lanecode",
        "logroute.formatters.compiled",
        "datetime",
        "yaml",
        "json",
        "fcntl",
        "logging.handlers",
        "difflib",
        "random",
        "tempfile",
        "subprocess",
    ),
    *("logroute.config.yamltext", "logroute.config.yamlhints", "logroute.config.jsontext"),
    *("logroute.config.schema", "logroute.config.oddities", "logroute.config.slips"),
    *("logroute.config.rules.advice", "logroute.config.describe", "logroute.config.edits"),
    *("logroute.delivery.breaker", "logroute.delivery.deadletter", "logroute.delivery.spool"),
    *("logroute.engine.spooled", "logroute.app.foreign", "logroute.app.rings"),
    *("logroute.app.watch", "logroute.app.signals", "logroute.app.statsdoor"),
    *("logroute.sinks.net", "logroute.sinks.foreign", "logroute.sinks.files.rotation"),
    *("logroute.formatters.json", "logroute.filters.redact", "logroute.cli"),
}


def test_a_start_imports_what_it_uses():
    """A file and a console ask for no network, no spool, no hints, and not for PyYAML."""
    loaded = modules_after(f"import logroute; logroute.configure({PLAIN!r})")
    assert "logroute.sinks.file" in loaded
    assert not loaded & NOT_AT_A_START


def test_what_a_start_leaves_out_exists():
    """The list above names modules that can be imported, so that it cannot pass by a slip."""
    for name in NOT_AT_A_START:
        assert importlib.util.find_spec(name) is not None, name


def test_an_old_file_starts_without_pyyaml():
    """A dictConfig file with handlers of `logging` needs neither PyYAML nor `logging.config`."""
    text = (
        "version: 1\nhandlers:\n  a:\n    class: logging.FileHandler\n"
        "    filename: x.log\n    delay: true\n  b:\n    class: logging.StreamHandler\n"
        "    stream: ext://sys.stdout\nroot:\n  handlers: [a, b]\n"
    )
    loaded = modules_after(f"import logroute; logroute.configure({text!r})")
    assert "logroute.app.foreign" in loaded
    assert not loaded & {"yaml", "json", "typing", "logging.config", "logging.handlers", "socket"}
