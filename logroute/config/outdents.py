"""Lost indentation: options that stand beside the part which they belong to.

Called once a finding is certain, for the cure in its message. Runs in whatever
thread loads a config.
"""

from itertools import islice

from logroute.config.readers import Path
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.config.findings import View

__all__ = ["is_outdented", "outdented"]

_PARTS = frozenset({"handlers", "formatters", "filters"})
#: Keys of parts that hardly anybody gives to a part as its name.
_KEYS = frozenset(
    (
        *("()", "class", "type", "level", "filters", "formatter"),
        *("format", "datefmt", "style"),
        *("args", "encoding", "filename", "host", "mode", "path", "port", "stream", "url"),
        *("backupCount", "maxBytes", "when"),
    )
)
_MOST = 20


def outdented(view: "View", path: Path) -> list[str]:
    """Return the options right below the empty part at `path`, as if they were parts."""
    section = view.at(path[:1])
    if len(path) != 2 or path[0] not in _PARTS or section is None:
        return []
    names = iter(section.value.items())
    found: list[str] = []
    for name, node in names:
        if name == path[1]:
            if node.value is not None:
                return []
            break
    for name, node in names:
        if node.value is None or isinstance(node.value, dict) or name not in _KEYS:
            break
        found.append(name)
    return found


def is_outdented(view: "View", path: Path) -> bool:
    """Return whether the part at `path` is such an option; the empty part has been told."""
    section = view.at(path[:1])
    if len(path) != 2 or path[0] not in _PARTS or path[1] not in _KEYS or section is None:
        return False
    empty = (name for name, node in section.value.items() if node.value is None)
    return any(path[1] in outdented(view, (path[0], name)) for name in islice(empty, _MOST))
