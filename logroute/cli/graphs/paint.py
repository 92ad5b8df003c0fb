"""What the SVG picture is made of: colours, measured text, icons.

A picture is drawn before anybody knows with which font it will be shown, so text
is measured with the widest of the usual ones (DejaVu Sans). Pure; runs in the
thread of the command.
"""

import unicodedata

__all__ = ["CSS", "ICONS", "escape", "number", "shade", "text_width", "wrap"]

# advance widths of DejaVu Sans, in hundredths of the font size, from the space to `~`
_WIDTHS = (
    *(32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34),
    *(64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53),
    *(100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79),
    *(60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50),
    *(50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61),
    *(63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84),
)
_BOLD = 1.14
_MONO = 0.61


def text_width(text: str, size: float, *, is_bold: bool = False, is_mono: bool = False) -> float:
    """Return at most how wide `text` is shown."""
    total = 0.0
    for char in text:
        if unicodedata.combining(char):
            continue
        if not char.isascii():
            total += 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.85
        else:
            total += _MONO if is_mono else _WIDTHS[ord(char) - 32] / 100
    return total * size * (_BOLD if is_bold and not is_mono else 1)


def wrap(
    text: str, width: float, size: float, *, is_mono: bool = False, most: int = 4
) -> list[str]:
    """Return `text` in lines no wider than `width`, broken behind spaces and punctuation."""
    lines: list[str] = []
    rest = text
    while rest:
        end = _fitting(rest, width, size, is_mono)
        if len(lines) == most - 1 and end < len(rest):
            end = _fitting(rest, width - text_width("…", size), size, is_mono)
            return [*lines, rest[:end].rstrip() + "…"]
        if end < len(rest):
            end = _break(rest, end)
        lines.append(rest[:end].strip())
        rest = rest[end:].lstrip()
    return lines or [""]


def _fitting(text: str, width: float, size: float, is_mono: bool) -> int:
    """Return how many characters fit, at least one."""
    total = 0.0
    for index, char in enumerate(text):
        total += text_width(char, size, is_mono=is_mono)
        if total > width:
            return max(1, index)
    return len(text)


def _break(text: str, end: int) -> int:
    """Return where to break a line of at most `end` characters."""
    for place in range(end, end // 3, -1):
        if text[place - 1] in " ,;/|.:)-_":
            return place
    return end


def escape(text: str) -> str:
    """Return `text` as XML may hold it; it is printable already."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#39;")


def number(value: float) -> str:
    """Return a coordinate, short and always the same."""
    return f"{value:.1f}".removesuffix(".0")


def shade(level: int) -> str:
    """Return the class of a level's colour: d, i, w, e or c."""
    return "diwec"[min(max(level // 10 - 1, 0), 4)]


# Level colours are told apart by people who see red and green alike: grey, blue,
# amber, vermilion, plum (after Okabe and Ito), and always come with a letter.
_LIGHT = {"d": "#64748b", "i": "#0868b0", "w": "#f0b429", "e": "#c2410c", "c": "#86195f"}
_DARK = {"d": "#94a3b8", "i": "#5cb3f0", "w": "#facc5a", "e": "#fb8a4c", "c": "#f07ac8"}


def _scheme(
    levels: dict[str, str],
    ink: dict[str, str],
    page: str,
    card: str,
    line: str,
    text: str,
    soft: str,
    faint: str,
    alarm: str,
) -> str:
    rules = [
        f".page{{fill:{page}}}",
        f".card{{fill:{card};stroke:{line}}}",
        f".badge{{fill:{soft}}}",
        f".badge-text{{fill:{page}}}",
        f".tx{{fill:{text}}}",
        f".note{{fill:{text}}}",
        f".soft{{fill:{soft}}}",
        f".icon{{stroke:{soft}}}",
        f".rail,.twig{{stroke:{faint}}}",
        f".railhead{{fill:{faint}}}",
        f".off{{stroke:{line}}}",
        f".off-text{{fill:{faint}}}",
        f".stop{{fill:{alarm}}}",
        f".stop-line{{stroke:{alarm}}}",
        f".warn{{fill:none;stroke:{levels['w']}}}",
        f".dead .card{{fill:{page};stroke:{faint}}}",
        f".dead .tx,.dead .soft{{fill:{faint}}}",
        f".dead .icon{{stroke:{faint}}}",
        f".dead .badge{{fill:{faint}}}",
        f".e-x .line{{stroke:{faint}}}",
        f".e-x .head{{fill:{faint}}}",
    ]
    for key, color in levels.items():
        rules.append(f".f-{key}{{fill:{color}}}")
        rules.append(f".t-{key}{{fill:{ink[key]}}}")
        rules.append(f".e-{key} .line{{stroke:{color}}}")
        rules.append(f".e-{key} .head{{fill:{color}}}")
    return "\n".join(f".lr {rule}".replace(",.", ",.lr .") for rule in rules)


_WHITE = dict.fromkeys("diec", "#ffffff")
_SHAPES = """\
.lr text{font-family:Inter,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
.lr .mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.lr .b{font-weight:600}
.lr .card{stroke-width:1}
.lr .dead .card{stroke-dasharray:5 4}
.lr .icon{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.lr .line{fill:none;stroke-width:1.7;stroke-opacity:.8}
.lr .e-x .line{stroke-dasharray:5 4;stroke-width:1.3}
.lr .rail{fill:none;stroke-width:3;stroke-linecap:round}
.lr .twig{fill:none;stroke-width:1.5}
.lr .stop-line{fill:none;stroke-width:2;stroke-linecap:round}
.lr .off{fill:none;stroke-width:1}
.lr .mid{text-anchor:middle}"""
#: The style of a picture, for light and dark pages; renderers without dark ones skip it.
CSS = "\n".join(
    (
        _SHAPES,
        _scheme(
            _LIGHT,
            {**_WHITE, "w": "#3b2600"},
            page="#ffffff",
            card="#f6f8fb",
            line="#c9d3df",
            text="#0f172a",
            soft="#52627a",
            faint="#9aa8ba",
            alarm="#b4232a",
        ),
        "@media (prefers-color-scheme:dark){",
        _scheme(
            _DARK,
            dict.fromkeys("diwec", "#0b1220"),
            page="#0e1525",
            card="#182236",
            line="#3a4a63",
            text="#e6edf6",
            soft="#a3b3c9",
            faint="#62738c",
            alarm="#ff7b72",
        ),
        "}",
    )
)

#: Pictures of destinations, drawn with strokes in a square of 16.
ICONS = {
    "console": "M1.5 2.5h13v11h-13zM4 6l2.5 2L4 10M8 10.5h4",
    "file": "M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3M5.5 8h5M5.5 11h5",
    "mail": "M1.5 3.5h13v9h-13zM1.5 4l6.5 5 6.5-5",
    "network": "M1.5 2.5h13v4h-13zM1.5 9.5h13v4h-13zM4 4.5h.1M4 11.5h.1M8 6.5v3",
    "web": (
        "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 100-13M1.5 8h13M8 1.5c-4 4-4 9 0 13M8 1.5c4 4 4 9 0 13"
    ),
    "memory": (
        "M3.5 3.5h9v9h-9zM6 1v2.5M10 1v2.5M6 12.5V15M10 12.5V15M1 6h2.5M1 10h2.5"
        "M12.5 6H15M12.5 10H15"
    ),
    "nowhere": "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 100-13M3.4 3.4l9.2 9.2",
    "code": "M5 4L1.5 8 5 12M11 4l3.5 4L11 12M9.5 2.5l-3 11",
}
