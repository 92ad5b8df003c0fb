"""The picture of the results: bars on a logarithmic scale, as SVG text."""

import math
from html import escape
from typing import Any, NamedTuple

from benchmarks.results import LOSSES

__all__ = ["draw"]

Data = dict[str, Any]

#: What is drawn: the measure, the figure, the title of the panel and its unit.
_PANELS = (
    ("caller-extra", "cpu_us", "CPU time of a call, tight loop", "us", False),
    ("caller-paced", "p50_us", "Median of a call, one each 0.3 ms", "us", False),
    ("caller-threads", "mean_us", "Mean of a call, four threads", "us", False),
    ("file-plain", "per_second", "Lines a second in a file", "/s", True),
    ("file-plain-threads", "per_second", "Lines a second in a file, four threads", "/s", True),
    ("file-json", "per_second", "JSON lines a second in a file", "/s", True),
    ("tcp", "per_second", "Records a second over TCP", "/s", True),
    ("http", "per_second", "Records a second over HTTP", "/s", True),
    ("memory", "bytes", "Memory of a waiting record", "bytes", False),
    ("smtp", "per_second", "Records a second by mail", "/s", True),
)
_WIDTH, _GAP, _MARGIN = 1080, 36, 24
_PANEL = (_WIDTH - 2 * _MARGIN - _GAP) // 2
_NAMES, _VALUES = 150, 78
_ROW, _HEAD, _FOOT = 19, 34, 30
_OURS, _BASE, _OTHER, _TEXT, _FAINT = "#c2410c", "#475569", "#94a3b8", "#1e293b", "#e2e8f0"

_LETTERS = 'font-family="system-ui, sans-serif" font-size="12"'


class _Bar(NamedTuple):
    name: str
    value: float
    low: float
    high: float
    color: str


def draw(results: Data, version: str) -> str:
    """Return the picture of the results of one Python version."""
    measures = results["python"][version]["measures"]
    panels = [
        (title, unit, more, bars)
        for name, figure, title, unit, more in _PANELS
        if name in measures and (bars := _bars(measures[name], figure, is_more_better=more))
    ]
    parts, top = [], 64
    for left, right in zip(panels[::2], [*panels[1::2], None], strict=False):
        pair = [panel for panel in (left, right) if panel]
        for column, (title, unit, more, bars) in enumerate(pair):
            parts += _panel(_MARGIN + column * (_PANEL + _GAP), top, title, unit, bars, more)
        top += _HEAD + _FOOT + _ROW * max(len(panel[3]) for panel in pair)
    note = f"Python {version}; median of the rounds, thin lines from the lowest to the highest"
    note += "; *: lines were lost or were not as they should be"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" {_LETTERS}>',
        "<title>logroute beside other loggers</title>",
        f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>',
        _text(_MARGIN, 30, "logroute beside other loggers", size=18, weight=600),
        _text(_MARGIN, 50, note, color=_BASE),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(measured: Data, figure: str, *, is_more_better: bool) -> list[_Bar]:
    bars = []
    for name, found in measured["variants"].items():
        summary = found.get("summary", {}).get(figure)
        if summary is None or summary["low"] <= 0:
            continue
        color = _BASE if name == measured["baseline"] else _OTHER
        if name.startswith("logroute"):
            color = _OURS
        mark = " *" if any(any(found["figures"].get(word, [])) for word in LOSSES) else ""
        bars.append(_Bar(name + mark, summary["median"], summary["low"], summary["high"], color))
    return sorted(bars, key=lambda bar: bar.value, reverse=is_more_better)


def _panel(
    left: float, top: float, title: str, unit: str, bars: list[_Bar], is_more_better: bool
) -> list[str]:
    """Draw one panel: title, grid, a bar with its spread for each variant."""
    first, last = left + _NAMES, left + _PANEL - _VALUES
    floor = math.floor(math.log10(min(bar.low for bar in bars)))
    ceiling = max(math.ceil(math.log10(max(bar.high for bar in bars))), floor + 1)
    bottom = top + _HEAD + _ROW * len(bars)

    def place(value: float) -> float:
        share = (math.log10(value) - floor) / (ceiling - floor)
        return round(first + share * (last - first), 1)

    parts = [_text(left, top + 14, title, size=14, weight=600)]
    better = "more is better" if is_more_better else "less is better"
    parts.append(_text(left + _PANEL, top + 14, better, color=_OTHER, anchor="end"))
    for decade in range(floor, ceiling + 1):
        x = place(10.0**decade)
        parts.append(_line(x, top + _HEAD - 6, x, bottom, _FAINT))
        label = _short(10.0**decade)
        parts.append(_text(x, bottom + 13, label, color=_OTHER, anchor="middle", size=10))
    for number, bar in enumerate(bars):
        y = top + _HEAD + _ROW * number
        weight = 600 if bar.color == _OURS else 400
        middle, end = y + 7, place(bar.value)
        parts.append(_text(first - 8, y + 11, bar.name, anchor="end", weight=weight))
        parts.append(
            f'<rect x="{first}" y="{y}" width="{max(1.0, round(end - first, 1))}" height="13" '
            f'fill="{bar.color}"/>'
        )
        parts.append(_line(place(bar.low), middle, place(bar.high), middle, _TEXT))
        value = f"{_short(bar.value)} {unit}" if unit != "/s" else f"{_short(bar.value)}/s"
        parts.append(_text(left + _PANEL, y + 11, value, anchor="end", weight=weight))
    return parts


def _short(value: float) -> str:
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"


def _line(x1: float, y1: float, x2: float, y2: float, color: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}"/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: int = 400,
    color: str = _TEXT,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{color}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
