"""Loading, the arrow through the config wing: source -> config or diagnostics.

The fast line is read, parse, expand, decode, rules; it never imports jsonschema.
Only when decoding finds the shape wrong, the schema is asked for its messages.
All findings of a file come together, in a stable order. Runs in whatever thread
asks; holds no state.
"""

import os
from collections.abc import Callable, Mapping, Sequence

from logroute.config import decode, source
from logroute.config.expand import expand
from logroute.config.findings import View, in_order, is_inside, tell
from logroute.config.includes import without
from logroute.config.model import Config
from logroute.config.nodes import Node
from logroute.config.parse import parse
from logroute.config.rules import check_rules
from logroute.config.rules.rule import Rule
from logroute.config.source import Source
from logroute.diagnostics import Diagnostic, Severity, Span
from logroute.light import Any, NamedTuple

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
        files: the names of the texts that were read, as spans have them.
        root: the tree of `source` alone, before it was expanded.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    node: Node | None
    source: Source | None
    files: tuple[str, ...] = ()
    root: Node | None = None


def load(
    what: "str | os.PathLike[str] | Mapping[str, Any] | Source",
    *,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
    read_secrets: bool = True,
    advise: bool = False,
    also: Sequence[Rule] = (),
    needs_environment: bool = True,
    on_fault: Callable[[Rule, Exception], None] | None = None,
) -> Loaded:
    """Read, check and decode a config; never raises for what is wrong with it.

    Args:
        what: a path, YAML text (with a line break), a mapping, or a `Source`.
        profile: which of the file's profiles to lay over it.
        environ: where ``${NAME}`` looks.
        read_secrets: whether the config is to be used: ``${file:...}`` is read, and
            `tests` are passed over. Tools leave such values unknown, and see the tests.
        advise: whether to look also for what works, but hardly as meant.
        also: further rules to run with `advise`, such as those that look at this host.
        needs_environment: whether a variable that is not set is an error; else its
            value is unknown.
        on_fault: is told of a rule that fails itself; the others go on. Default: raise.
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
        return Loaded(None, tuple(in_order(found)), None, origin, (origin.name,))
    is_stdlib = isinstance(root.value, dict) and not decode.is_ours(root.value)
    if is_stdlib:  # an old file goes on meaning what it meant
        found = [_softened(fault) for fault in found]
    is_complete = not any(_takes_away(fault, root) for fault in found)
    folders: dict[str, str] = {}
    tree, faults = expand(
        root,
        origin,
        profile=profile,
        environ=environ,
        read_secrets=read_secrets,
        is_stdlib=is_stdlib,
        needs_environment=needs_environment,
        folders=folders,
    )
    found += faults
    is_complete &= not any(_takes_away(fault, root) for fault in faults)
    if read_secrets and isinstance(tree.value, dict) and "tests" in tree.value:
        tree = without(tree, ("tests",))  # a slip in a test is no reason not to log
    config, faults = _understand(
        tree, root, is_complete=is_complete, advise=advise, also=also, on_fault=on_fault
    )
    found = _without_echoes(in_order([*found, *faults], origin.name))
    is_good = not any(item.severity is Severity.ERROR for item in found)
    kept = tuple(_gravest(found))
    return Loaded(
        config if is_good else None,
        kept,
        tree,
        origin,
        tuple(dict.fromkeys((origin.name, *folders))),
        root,
    )


def _without_echoes(found: list[Diagnostic]) -> list[Diagnostic]:
    """Leave out what an error at the same place tells too: odd characters, open variables."""
    odd = [item for item in found if item.code in ("LR011", "LR010", "LR203")]
    if not odd:
        return found
    errors: dict[tuple[str, int], list[Diagnostic]] = {}
    for item in found:
        if item.severity is Severity.ERROR:
            for line in range(item.span.line, min(item.span.end_line, item.span.line + 9) + 1):
                errors.setdefault((item.span.file, line), []).append(item)
    echoes = {
        item
        for item in odd
        if any(
            _tells_too(fault, item) for fault in errors.get((item.span.file, item.span.line), ())
        )
    }
    return [item for item in found if item not in echoes]


def _tells_too(fault: Diagnostic, odd: Diagnostic) -> bool:
    if odd.severity is Severity.ERROR or not _holds(fault.span, odd.span):
        return False
    return odd.code == "LR011" or fault.code in ("LR201", "LR301")


def _holds(outer: Span, inner: Span) -> bool:
    is_same = outer.file == inner.file
    return is_same and outer[1:3] <= inner[1:3] and inner[3:5] <= outer[3:5]


def _gravest(found: list[Diagnostic]) -> list[Diagnostic]:
    """Return at most as many findings as are kept, errors before all others."""
    if len(found) <= _MOST_FINDINGS:
        return found
    order = list(Severity)
    by_weight = sorted(range(len(found)), key=lambda index: order.index(found[index].severity))
    return [found[index] for index in sorted(by_weight[:_MOST_FINDINGS])]


def _takes_away(fault: Diagnostic, root: Node) -> bool:
    """Return whether a fault of reading leaves out what may define names."""
    if fault.code == "LR006":  # a whole section that is written twice
        return fault.severity is Severity.ERROR and fault.span in root.keys.values()
    return fault.code in _INCOMPLETE


def _softened(fault: Diagnostic) -> Diagnostic:
    """Return what stdlib accepts in silence as a warning."""
    if fault.code != "LR006":
        return fault
    return fault._replace(severity=Severity.WARNING, help="the last one counts; remove the others")


def _understand(
    tree: Node,
    root: Node,
    *,
    is_complete: bool,
    advise: bool,
    also: Sequence[Rule],
    on_fault: Callable[[Rule, Exception], None] | None,
) -> tuple[Config, list[Diagnostic]]:
    """Decode an expanded tree and check its meaning."""
    decoded = decode.read(tree)
    view = View(tree, decoded)
    planned = {problem.path for problem in decoded.problems if problem.code == "LR190"}
    shapes = [
        problem
        for problem in decoded.problems
        if problem.is_shape and not (planned and is_inside(problem.path, planned))
    ]
    found: list[Diagnostic] = []
    if shapes:
        from logroute.config.rules.habits import nested_config
        from logroute.config.schema import diagnose

        if is_complete and any(problem.path in ((), ("version",)) for problem in shapes):
            nested = nested_config(tree)
            if nested is not None:  # nothing else is meant as it is read
                return decoded.config, [nested]

        # decoding has the last word: what it refuses is never silently accepted
        found += diagnose(tree, decoded) or [tell(view, problem) for problem in shapes]
    if len(shapes) < decode.MAX_PROBLEMS:  # else what is broken is not all known
        found += check_rules(
            decoded.config,
            tree,
            decoded,
            is_complete=is_complete,
            advise=advise,
            also=also,
            original=root,
            on_fault=on_fault,
        )
    return decoded.config, found
