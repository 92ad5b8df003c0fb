"""Writes the tables of `docs/performance.md` and its picture from results; measures nothing.

Run it with ``python -m benchmarks.report [--results FILE]``.
"""

import argparse
import math
import re
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare import RESULTS
from benchmarks.plot import draw
from benchmarks.results import LOSSES, load
from benchmarks.targets import TARGETS, Target, lines_missed

__all__ = ["page_with", "tables"]

Data = dict[str, Any]

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PICTURE = DOCS / "performance.md", DOCS / "performance.svg"
BEGIN, END = "<!-- begin of results -->", "<!-- end of results -->"
_UNITS = {"us": "us", "ns": "ns", "ms": "ms", "second": "a second"}


def page_with(page: str, text: str) -> str:
    """Return a page with `text` as its results."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def tables(data: Data) -> str:
    """Return all tables as Markdown."""
    return "\n".join([*_targets(data), *_all_measures(data), *_conditions(data)]).strip()


def _targets(data: Data) -> Iterator[str]:
    versions = list(data["python"])
    yield "## Targets\n"
    yield f"| figure of logroute | beside | target | {' | '.join(versions)} |"
    yield f"| --- | --- | --- |{' --- |' * len(versions)}"
    for target in TARGETS:
        cells = []
        for version in versions:
            cells.append(_verdict(target, data["python"][version]["measures"]))
        beside = f"`{target.against}`" if target.against else ""
        yield f"| {target.words} | {beside} | {target.wanted} | {' | '.join(cells)} |"
    cells = [_all_lines(data["python"][version]["measures"]) for version in versions]
    yield (
        "| every line there, once, in order, and equal | all measures | none missed "
        f"| {' | '.join(cells)} |\n"
    )


def _verdict(target: Target, measures: Data) -> str:
    """Return the median of a target's figure, its spread, and in how many rounds it is met."""
    values = target.figures(measures)
    if not values:
        return "not measured"
    middle = statistics.median(values)
    text = f"{_number(middle)}{target.unit}{_range(min(values), max(values))}: "
    text += "reached" if target.is_reached_by(middle) else "**missed**"
    good = sum(map(target.is_reached_by, values))
    return text if good in (0, len(values)) else f"{text}, met in {good} of {len(values)} rounds"


def _range(low: float, high: float) -> str:
    first, last = _number(low), _number(high)
    return "" if first == last else f" ({first} to {last})"


def _all_lines(measures: Data) -> str:
    missed = lines_missed(measures)
    if not missed:
        return "0: reached"
    return "**missed**: " + ", ".join(f"{count:.0f} in {name}" for name, count in missed.items())


def _all_measures(data: Data) -> Iterator[str]:
    names = {name: None for run in data["python"].values() for name in run["measures"]}
    yield "## Figures\n"
    for name in names:
        runs = {
            version: run["measures"][name]
            for version, run in data["python"].items()
            if name in run["measures"]
        }
        yield from _measure(name, runs)


def _measure(name: str, runs: dict[str, Data]) -> Iterator[str]:
    """Yield the table of one measure: a row for each variant, columns for each version."""
    some = next(iter(runs.values()))
    first, *others = some["shown"]
    head, line = "| |", "| --- |"
    for version in runs:
        head += f" {version}: {_words(first)} | ratio |"
        line += " ---: | :--- |"
        if others:
            head += f" {', '.join(_words(figure) for figure in others)} |"
            line += " ---: |"
    yield f"### {some['title'][0].upper()}{some['title'][1:]}\n"
    yield f"`{name}`; ratio to `{some['baseline']}`, from the lowest to the highest round.\n"
    yield f"{head} lines |"
    yield f"{line} --- |"
    rows = {variant: None for run in runs.values() for variant in run["variants"]}
    for variant in sorted(rows, key=lambda each: _rank(some, each, first)):
        found = [run["variants"].get(variant, {}) for run in runs.values()]
        words = next(each["words"] for each in found if each)
        cells = [cell for each in found for cell in _cells(each, first, others)]
        mark = "**" if variant.startswith("logroute") else ""
        yield f"| {mark}{words}{mark} | {' | '.join(cells)} | {_lines(found)} |"
    yield ""


def _rank(measured: Data, variant: str, figure: str) -> float:
    """Return where a variant stands: the best first, those without a figure last."""
    summary = measured["variants"].get(variant, {}).get("summary", {}).get(figure)
    if summary is None:
        return math.inf
    median = float(summary["median"])
    return -median if figure == "per_second" else median


def _cells(found: Data, first: str, others: list[str]) -> Iterator[str]:
    summary = found.get("summary", {})
    if first not in summary:
        yield found.get("status", "not measured")
        yield ""
    else:
        own = summary[first]
        yield _number(own["median"])
        spread = _range(own["ratio_low"], own["ratio_high"]) if "ratio" in own else ""
        yield f"{_number(own['ratio'])}{spread}" if "ratio" in own else ""
    if others:
        known = [_with_ratio(summary[figure]) if figure in summary else "-" for figure in others]
        yield ", ".join(known) * (first in summary)


def _with_ratio(own: Data) -> str:
    text = _number(own["median"])
    return f"{text} ({_number(own['ratio'])}x)" if "ratio" in own else text


def _lines(found: list[Data]) -> str:
    """Return what became of the lines of a variant in its worst runs."""
    told, runs = [], [each["figures"] for each in found if each]
    if not any("lost" in figures for figures in runs):
        return ""
    for word in LOSSES:
        worst = max(
            (value for figures in runs for value in figures.get(word, []) if value), default=0
        )
        if worst:
            told.append(f"{worst:.0f} {word}")
    most = max(max(figures.get("expected", [0])) for figures in runs)
    return f"{', '.join(told) or 'all'} of {most:.0f}"


def _conditions(data: Data) -> Iterator[str]:
    yield "## Conditions\n"
    for version, run in data["python"].items():
        found, measures = run["conditions"], list(run["measures"].values())
        loads = [value for measured in measures for value in measured["load"]]
        packages = ", ".join(
            f"{name} {number}" if number[0].isdigit() else f"{name} ({number})"
            for name, number in found["packages"].items()
        )
        rounds = _each(str(measured["rounds"]) for measured in measures)
        shares = _each(f"{measured['load_share']:.0%}" for measured in measures)
        days = _each(measured["when"][:10] for measured in measures)
        commits = _each(measured["revision"] for measured in measures)
        yield (
            f"- Python {version}: {found['python']}, {found['compiler']}; {found['kernel']}; "
            f"{found['cpus']} x {found['cpu']}; log files {found['files']}; {rounds} rounds with "
            f"{shares} of the calls, {days}, commit {commits}; load average {min(loads):.1f} to "
            f"{max(loads):.1f}; {packages}."
        )


def _each(words: Iterable[str]) -> str:
    """Return different words in one text."""
    return " and ".join(sorted(set(words)))


def _words(figure: str) -> str:
    """Return a figure's name as words: `p99.9_us` as `p99.9 us`."""
    if figure == "per_second":
        return "a second"
    head, _, unit = figure.rpartition("_")
    text = f"{head} {_UNITS[unit]}" if head and unit in _UNITS else figure
    return re.sub(r"^cpu\b", "CPU", text.replace("_", " "))


def _number(value: float) -> str:
    """Return a number with three digits that mean something."""
    if value >= 1000:
        digits = 3 - len(str(int(value)))
        return f"{round(value, digits):,.0f}".replace(",", " ")
    return f"{value:.3g}"


def main() -> None:
    """Write page and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, metavar="FILE", default=RESULTS)
    data = load(parser.parse_args().results)
    if not data["python"]:
        parser.error("there are no results; make them with python -m benchmarks.compare")
    PAGE.write_text(page_with(PAGE.read_text(), tables(data)))
    PICTURE.write_text(draw(data, min(data["python"], key=lambda text: int(text.split(".")[1]))))
    print(f"wrote {PAGE.name} and {PICTURE.name}")


if __name__ == "__main__":
    main()
