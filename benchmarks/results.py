"""The results of a benchmark as JSON: what is in the file, and the ratios made from it.

    {"format": 1,
     "python": {"3.11": {
       "conditions": {"python": "3.11.7", "kernel": ..., "peers": {...}},
       "measures": {"file-plain": {
         "title": ..., "baseline": "stdlib-queue", "when": ..., "load": [0.4, 1.2], ...,
         "variants": {"logroute": {
           "words": ..., "status": "ok", "size": 40000,
           "figures": {"per_second": [one number a round, null where a run failed]},
           "summary": {"per_second": {"median": ..., "low": ..., "high": ...,
                                      "ratio": ..., "ratio_low": ..., "ratio_high": ...}}}}}}}}}

A ratio is the median over the rounds of (variant / baseline of the same round).
"""

import json
import os
import platform
import re
import statistics
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = [
    "LOSSES",
    "conditions",
    "load",
    "merge",
    "new_measure",
    "ratio",
    "revision",
    "save",
    "summarise",
]

Data = dict[str, Any]

FORMAT = 1
#: Figures that tell what became of the lines.
LOSSES = ("lost", "repeated", "different", "reordered")
_PACKAGES = (
    "picologging",
    "loguru",
    "structlog",
    "orjson",
    "logbook",
    "python-logstash-async",
    "opentelemetry-sdk",
    "PyYAML",
)
_ROOT = Path(__file__).resolve().parents[1]


def load(path: Path) -> Data:
    """Read a file of results; an empty one if there is none, or of another format."""
    if path.exists():
        data: Data = json.loads(path.read_text())
        if data.get("format") == FORMAT:
            return data
    return {"format": FORMAT, "python": {}}


def save(path: Path, data: Data) -> None:
    """Write a file of results in one step; what is short stands on one line."""
    text = json.dumps(data, indent=1, sort_keys=False)
    text = re.sub(r"\[[^\[\]{}]*\]", _on_one_line, text)
    text = re.sub(r"\{(?:\s+\"\w+\": [\d.e+-]+,?)+\s+\}", _on_one_line, text)
    beside = path.with_name(path.name + ".new")
    beside.write_text(text + "\n")
    beside.replace(path)


def _on_one_line(found: re.Match[str]) -> str:
    inside = " ".join(found[0][1:-1].split())
    return f"{found[0][0]}{inside}{found[0][-1]}"


def conditions() -> Data:
    """Return what the figures of this interpreter on this machine depend on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "files": "in memory" if Path("/dev/shm").is_dir() else "on disk",
        "packages": versions,
    }


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    return found[1] if found else platform.machine()


def revision() -> str:
    """Return the commit that was measured, with a `+` if it was changed since."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude", "*"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def merge(data: Data, version: str, found: Data, name: str, measured: Data) -> None:
    """Put the results of one measure into `data`.

    What was measured under other conditions is removed: the figures of a Python
    version belong together.
    """
    old = data["python"].get(version, {})
    if old.get("conditions") != found:
        old = {"conditions": found, "measures": {}}
    old["measures"][name] = measured
    data["python"][version] = old
    data["python"] = dict(sorted(data["python"].items()))


def new_measure(
    title: str, baseline: str, shown: tuple[str, ...], rounds: int, load_share: float
) -> Data:
    """Return a measure without results."""
    return {
        "title": title,
        "baseline": baseline,
        "shown": list(shown),
        "rounds": rounds,
        "load_share": load_share,
        "revision": revision(),
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "load": [os.getloadavg()[0]],
        "variants": {},
    }


def ratio(measured: Data, figure: str, variant: str, other: str) -> list[float]:
    """Return variant / other of each round in which both have the figure."""
    upper = measured["variants"].get(variant, {}).get("figures", {}).get(figure, [])
    lower = measured["variants"].get(other, {}).get("figures", {}).get(figure, [])
    pairs = zip(upper, lower, strict=False)
    return [a / b for a, b in pairs if a is not None and b]


def summarise(measured: Data) -> None:
    """Add medians, spread and ratios to the figures that a measure shows."""
    for name, variant in measured["variants"].items():
        variant["summary"] = {}
        for figure in measured["shown"]:
            values = variant["figures"].get(figure, [])
            known = [value for value in values if value is not None]
            if not known:
                continue
            summary = _spread(known, "median", "low", "high")
            ratios = ratio(measured, figure, name, measured["baseline"])
            if ratios:
                summary |= _spread(ratios, "ratio", "ratio_low", "ratio_high")
            variant["summary"][figure] = summary


def _spread(values: list[float], middle: str, low: str, high: str) -> Data:
    found = {middle: statistics.median(values), low: min(values), high: max(values)}
    return {key: float(f"{value:.4g}") for key, value in found.items()}
