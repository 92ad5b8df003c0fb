"""Measures logroute beside other loggers and writes `benchmarks/results.json`.

Every run is a fresh process. In a round each variant of a measure runs once, in
shuffled order, and ratios are taken within a round, so that a busy machine is busy for
all. Every line is counted and compared. What is not installed is said so, what fails
or hangs too. ``python -m benchmarks.report`` makes the page and the picture from the
file, without measuring. Run it with ``python -m benchmarks.compare``.
"""

import argparse
import contextlib
import fnmatch
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.measures import MEASURES, Measure, missing_for, size_for, words_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
#: A run hangs that takes longer, or uses next to no processor for so long; it is not tried again.
_LONGEST_S, _IDLE_S = 120.0, 10.0
#: What threads that wait for a lock for ever still use, since they wake all the time.
_IDLE_TICKS = 30
_QUICK_ROUNDS, _QUICK_SHARE = 2, 0.2

Data = dict[str, Any]


def wanted(patterns: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the measures, and the variants of each, that a pattern fits.

    A pattern is compared with `measure` and with `measure/variant`; the baseline is
    always among the variants.
    """
    found = {}
    for name, measure in MEASURES.items():
        whole = any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
        some = tuple(
            variant
            for variant in measure.variants
            if whole or any(fnmatch.fnmatch(f"{name}/{variant}", pattern) for pattern in patterns)
        )
        if some:
            found[name] = tuple(dict.fromkeys((measure.baseline, *some)))
    return found


def run_once(measure: Measure, variant: str, size: int) -> tuple[Data | None, str]:
    """Run a variant in a fresh process; return its figures, or None and what went wrong."""
    command = [sys.executable, "-m", "benchmarks.one", measure.name, variant, str(size)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command, cwd=HERE.parent, env=environment, stdout=out, stderr=err
        )
        if not _ends(process):
            process.kill()
            process.wait()
            return None, "hung"
        out.seek(0)
        err.seek(0)
        lines, faults = out.read().splitlines(), err.read().strip().splitlines()
    if process.returncode == 0 and lines:
        return json.loads(lines[-1]), ""
    return None, f"failed: {(faults or [f'exit code {process.returncode}'])[-1][:200]}"


def _ends(process: subprocess.Popen[Any]) -> bool:
    """Wait for the end of a process; False if it does nothing any more, or takes too long."""
    begin = moved = time.monotonic()
    used = 0.0
    while time.monotonic() - begin < _LONGEST_S:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
            return True
        now = _cpu_ticks(process.pid)
        if now - used > _IDLE_TICKS:
            used, moved = now, time.monotonic()
        elif time.monotonic() - moved > _IDLE_S:
            return False
    return False


def _cpu_ticks(pid: int) -> float:
    """Return the CPU time of a process and of its ended children."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return sum(float(field) for field in text.rpartition(")")[2].split()[11:15])


def run_measure(measure: Measure, variants: tuple[str, ...], rounds: int, share: float) -> Data:
    """Run all rounds of a measure."""
    measured = results.new_measure(measure.title, measure.baseline, measure.figures, rounds, share)
    for name in variants:
        missing = missing_for(name)
        measured["variants"][name] = {
            "words": words_of(name),
            "status": f"not installed: {missing}" if missing else "ok",
            "size": size_for(measure, name, share),
            "figures": {},
        }
    for number in range(rounds):
        ready = [name for name in variants if measured["variants"][name]["status"] == "ok"]
        for name in random.sample(ready, len(ready)):
            _add_run(measure, measured["variants"][name], name, number)
    results.summarise(measured)
    measured["load"].append(os.getloadavg()[0])
    measured["load"] = [round(value, 2) for value in measured["load"]]
    return measured


def _add_run(measure: Measure, variant: Data, name: str, number: int) -> None:
    """Run a variant and add its figures as those of round `number`."""
    found, fault = run_once(measure, name, variant["size"])
    if found is None:
        variant["status"] = fault
        print(f"  {name}: {fault}", file=sys.stderr)
        return
    for figure, value in found.items():
        values = variant["figures"].setdefault(figure, [])
        values += [None] * (number - len(values)) + [value]


def show(name: str, measured: Data) -> None:
    """Print the results of a measure."""
    rounds, baseline = measured["rounds"], measured["baseline"]
    print(f"\n{name}: {measured['title']}; {rounds} rounds, ratio to {baseline}", flush=True)
    for variant, found in measured["variants"].items():
        told = [_cell(found, figure) for figure in measured["shown"]]
        if found["status"] != "ok":
            told = [*told, found["status"]] if found["figures"] else [found["status"]]
        told += [f"{word} {count:.0f}" for word in results.LOSSES if (count := worst(found, word))]
        print(f"  {variant:20} {'  '.join(told)}", flush=True)


def _cell(found: Data, figure: str) -> str:
    own = found.get("summary", {}).get(figure)
    if own is None:
        return f"{figure} -"
    text = f"{figure} {own['median']:.4g}"
    if "ratio" in own:
        text += f" [{own['ratio']:.3g}x {own['ratio_low']:.3g}-{own['ratio_high']:.3g}]"
    return text


def worst(found: Data, word: str) -> float:
    """Return the most lines of a run that were lost, repeated and so on."""
    return max((value for value in found["figures"].get(word, []) if value), default=0)


def main() -> int:
    """Measure; return 1 if logroute itself failed somewhere."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each variant runs; default 5")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="measures, or measure/variant, such as 'caller-*' or 'tcp/logroute*'; "
        "the others keep their results",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a look: two rounds, small loads, nothing written"
    )
    parser.add_argument("--results", type=Path, metavar="FILE", help=f"default: {RESULTS.name}")
    options = parser.parse_args()
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else 5)
    path = options.results or (None if options.quick else RESULTS)
    chosen = wanted(options.only or ["*"])
    if not chosen:
        parser.error(f"nothing is called so; there are {', '.join(MEASURES)}")
    found, is_good, begin = results.conditions(), True, time.monotonic()
    for name, variants in chosen.items():
        measure = MEASURES[name]
        most = min(rounds, measure.rounds) if measure.rounds else rounds
        measured = run_measure(measure, variants, most, _QUICK_SHARE if options.quick else 1.0)
        show(name, measured)
        is_good &= all(
            each["status"] == "ok" or each["status"].startswith("not installed")
            for variant, each in measured["variants"].items()
            if variant.startswith("logroute")
        )
        if path is not None:  # at once, so that an interrupted run has not been for nothing
            data = results.load(path)
            results.merge(data, VERSION, found, name, measured)
            results.save(path, data)
    print(f"\n{(time.monotonic() - begin) / 60:.1f} minutes")
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
