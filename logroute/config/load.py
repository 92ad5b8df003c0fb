"""Loading, the arrow through the config wing: source -> config or diagnostics.

The fast line is read, parse, expand, decode, rules; it never imports jsonschema.
Only when decoding finds the shape wrong, the schema is asked for its messages.
All findings of a file come together, in a stable order. Runs in whatever thread
asks; holds no state.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from logroute.config import decode, source
from logroute.config.expand import expand
from logroute.config.findings import View, in_order, tell
from logroute.config.model import Config
from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.rules import check_rules
from logroute.config.source import Source
from logroute.diagnostics import Diagnostic, Severity

__all__ = ["Loaded", "load"]

# Faults that take whole parts away: what these would have defined is not known.
_INCOMPLETE = frozenset(
    {"LR001", "LR002", "LR003", "LR004", "LR005", "LR007", "LR009", "LR204", "LR205"}
)

#: Most findings that are kept.
_MOST_FINDINGS = 1000


class Loaded(NamedTuple):
    """What loading found.

    Attributes:
        config: the config; None where any diagnostic is an error.
        diagnostics: every finding, by place.
        node: the expanded tree; None where the text cannot be parsed.
        source: what was read; None where nothing could be.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    node: Node | None
    source: Source | None


def load(
    what: "str | os.PathLike[str] | Mapping[str, Any] | Source",
    *,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
    read_secrets: bool = True,
    advise: bool = False,
) -> Loaded:
    """Read, check and decode a config; never raises for what is wrong with it.

    Args:
        what: a path, YAML text (with a line break), a mapping, or a `Source`.
        profile: which of the file's profiles to lay over it.
        environ: where ``${NAME}`` looks.
        read_secrets: whether ``${file:...}`` is read; `check` leaves such values
            unknown.
        advise: whether to look also for what works, but hardly as meant.
    """
    if isinstance(what, Source):
        origin, found = what, list[Diagnostic]()
    else:
        origin, found = source.read(what)  # type: ignore[assignment]
    if origin is None:
        return Loaded(None, tuple(found), None, None)
    root, faults = parse(origin)
    found += faults
    if root is None:
        return Loaded(None, tuple(in_order(found)), None, origin)
    is_complete = not any(_takes_away(fault, root) for fault in faults)
    is_stdlib = isinstance(root.value, dict) and not decode.is_ours(root.value)
    if is_stdlib:  # an old file goes on meaning what it meant
        found = [_softened(fault) for fault in found]
    tree, faults = expand(
        root,
        origin,
        profile=profile,
        environ=environ,
        read_secrets=read_secrets,
        is_stdlib=is_stdlib,
    )
    found += faults
    is_complete &= not any(_takes_away(fault, root) for fault in faults)
    config, faults = _understand(tree, root, is_complete=is_complete, advise=advise)
    found = in_order([*found, *faults], origin.name)
    is_good = not any(item.severity is Severity.ERROR for item in found)
    return Loaded(config if is_good else None, tuple(found[:_MOST_FINDINGS]), tree, origin)


def _takes_away(fault: Diagnostic, root: Node) -> bool:
    """Return whether a fault of reading leaves out what may define names."""
    if fault.code == "LR006":  # a whole section that is written twice
        return fault.span in root.keys.values()
    return fault.code in _INCOMPLETE


def _softened(fault: Diagnostic) -> Diagnostic:
    """Return what stdlib accepts in silence as a warning."""
    if fault.code != "LR006":
        return fault
    return fault._replace(severity=Severity.WARNING, help="the last one counts; remove the others")


def _understand(
    tree: Node, root: Node, *, is_complete: bool, advise: bool
) -> tuple[Config, list[Diagnostic]]:
    """Decode an expanded tree and check its meaning."""
    decoded = decode.read(tree)
    view = View(tree, decoded)
    shapes = [problem for problem in decoded.problems if problem.is_shape]
    found: list[Diagnostic] = []
    if shapes:
        from logroute.config.schema import diagnose

        # decoding has the last word: what it refuses is never silently accepted
        found += diagnose(tree, decoded) or [tell(view, problem) for problem in shapes]
    if len(decoded.problems) < decode.MAX_PROBLEMS:  # else what is broken is not all known
        found += check_rules(
            decoded.config,
            tree,
            decoded,
            is_complete=is_complete,
            advise=advise,
            original=root,
        )
    return decoded.config, found
