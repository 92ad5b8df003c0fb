"""Includes and profiles: several texts become one tree.

An included file lies under the file that includes it, a profile over it. Nodes
keep the place they came from. Runs in whatever thread loads a config.
"""

import os
from collections.abc import Sequence

from logroute.config.nodes import Budget, Node, shown
from logroute.config.parse import parse
from logroute.config.source import CANNOT_READ, MAX_BYTES, Source, read_path
from logroute.diagnostics import Diagnostic, Span, error
from logroute.hints import suggest

__all__ = ["MAX_FILES", "MAX_LEVELS", "choose_profile", "include_files", "overlay", "without"]

#: Deepest chain of files that include each other.
MAX_LEVELS = 8
#: Most files that one config reads.
MAX_FILES = 64


def without(node: Node, names: Sequence[str]) -> Node:
    """Return a mapping without the keys `names`."""
    if not any(name in node.value for name in names):
        return node
    return _mapping(
        {key: item for key, item in node.value.items() if key not in names}, node.keys, node
    )


def overlay(base: Node, top: Node, remove_nulls: bool = False) -> Node:
    """Return `base` with `top` laid over it, as new nodes.

    Mappings are merged key by key; anything else in `top` replaces.

    Args:
        base: what lies below.
        top: what wins.
        remove_nulls: a null in `top` takes its key away (RFC 7396).
    """
    if not isinstance(top.value, dict):
        return top
    below = base.value if isinstance(base.value, dict) else {}
    values: dict[str, Node] = dict(below)
    for key, item in top.value.items():
        if remove_nulls and item.value is None and not item.opaque:
            values.pop(key, None)
        elif remove_nulls or key in values:
            # what is new is laid over itself, which takes its nulls away
            values[key] = overlay(values.get(key) or item, item, remove_nulls)
        else:
            values[key] = item
    return _mapping(values, {**base.keys, **top.keys}, top)


def _mapping(values: dict[str, Node], keys: dict[str, Span], like: Node) -> Node:
    """Return a mapping that is like another but in its entries."""
    return Node(
        values,
        like.span,
        {key: keys[key] for key in values},
        secret=like.secret,
        opaque=like.opaque,
    )


def include_files(
    root: Node, source: Source, folders: dict[str, str], faults: list[Diagnostic]
) -> Node:
    """Return `root` over the files it includes.

    Args:
        root: a mapping.
        source: where `root` comes from.
        folders: gets, by source name, the folder that relative paths start from.
        faults: gets what is wrong.
    """
    return _Reader(root, folders, faults).lay(root, source, ())


class _Reader:
    """Reads included files within the limits of one config."""

    def __init__(self, root: Node, folders: dict[str, str], faults: list[Diagnostic]) -> None:
        self.root = root
        self.folders = folders
        self.faults = faults
        self.budget: Budget | None = None
        self.files = 0
        self.bytes = 0

    def lay(self, node: Node, source: Source, chain: tuple[tuple[str, Span], ...]) -> Node:
        """Return `node` over the files it includes; `chain` leads here."""
        self.folders[source.name] = os.path.dirname(source.path) if source.path else os.getcwd()
        wanted = node.value.get("include")
        if wanted is None:
            return node
        node = without(node, ("include",))
        names = wanted.value if isinstance(wanted.value, list) else [wanted]
        below: Node | None = None
        real = os.path.realpath(source.path) if source.path else ""
        for name in names:
            if not isinstance(name.value, str) or not name.value:
                expected = "`include` must be a path or a list of paths"
                self.faults.append(error("LR103", expected, name.span))
                continue
            included = self._read(name, source, (*chain, (real, name.span)))
            if included is not None:
                below = overlay(below, included) if below else included
        return overlay(below, node) if below else node

    def _read(self, name: Node, source: Source, chain: tuple[tuple[str, Span], ...]) -> Node | None:
        """Read one included file with all that it includes."""
        path = os.path.join(self.folders[source.name], name.value)
        near = os.path.dirname(source.name) if source.path else ""
        real = os.path.realpath(path) if "\0" not in path else path
        fault = self._forbidden(name, real, chain)
        if fault is not None:
            self.faults.append(fault)
            return None
        self.files += 1
        inner, faults = read_path(path, os.path.join(near, name.value))
        if inner is None:
            # a missing file is told where it is named; a bad byte where it stands
            self.faults.extend(
                fault._replace(span=name.span, help=_variable_help(name.value) or fault.help)
                if fault.code == CANNOT_READ
                else fault
                for fault in faults
            )
            return None
        self.bytes += len(inner.text)
        if self.bytes > MAX_BYTES:
            limit = f"the included files are together larger than {MAX_BYTES // 1024} KiB"
            self.faults.append(error("LR004", limit, name.span, "include smaller files"))
            return None
        if self.budget is None:
            self.budget = Budget(_count(self.root))
        node, faults = parse(inner, self.budget)
        self.faults.extend(faults)
        if node is None:
            return None
        if not isinstance(node.value, dict):
            what = "an included file must be a mapping"
            self.faults.append(error("LR103", what, node.span))
            return None
        return self.lay(node, inner, chain)

    def _forbidden(
        self, name: Node, real: str, chain: tuple[tuple[str, Span], ...]
    ) -> Diagnostic | None:
        paths = [path for path, _ in chain]
        if real in paths:
            fault = error(
                "LR204",
                f"`{shown(name.value)}` includes itself"
                if paths[-1] == real
                else f"`{shown(name.value)}` is included by what it includes",
                name.span,
                "remove one of the includes",
            )
            places = chain[paths.index(real) : -1]
            return fault._replace(related=tuple(("included here", span) for _, span in places))
        if len(chain) > MAX_LEVELS:
            message = f"more than {MAX_LEVELS} files include each other"
            return error("LR004", message, name.span, "name the inner files here")
        if self.files >= MAX_FILES:
            message = f"more than {MAX_FILES} files are included"
            return error("LR004", message, name.span, "put several of them into one")
        return None


def _variable_help(path: str) -> str | None:
    return "variables are not substituted in `include`" if "${" in path else None


def _count(node: Node) -> int:
    inner = node.value.values() if isinstance(node.value, dict) else node.value
    return 1 + (sum(map(_count, inner)) if isinstance(node.value, dict | list) else 0)


def choose_profile(
    root: Node, profile: str | None, from_environment: str | None, faults: list[Diagnostic]
) -> Node:
    """Return `root` with the chosen profile laid over it, without `profiles`.

    Args:
        root: a mapping.
        profile: the profile asked for by name.
        from_environment: the name in ``LOGROUTE_PROFILE``, used where `profile` is None.
        faults: gets what is wrong.
    """
    known = root.value.get("profiles")
    wanted = profile or from_environment
    if known is None:
        if profile:
            message = f"the profile `{shown(profile)}` is chosen, but there are no `profiles`"
            faults.append(error("LR205", message, _start(root.span)))
        return root
    bare = without(root, ("profiles",))
    if not isinstance(known.value, dict):
        message = "`profiles` must be a mapping of names to what they change"
        faults.append(error("LR103", message, known.span))
        return bare
    for name, body in known.value.items():
        faults.extend(_profile_faults(name, body))
    if not wanted:
        return bare
    chosen = known.value.get(wanted)
    if chosen is None:
        origin = "" if profile else " (from LOGROUTE_PROFILE)"
        message = f"the profile `{shown(wanted)}`{origin} is not defined"
        help = suggest(wanted, known.value)
        faults.append(error("LR205", message, root.keys["profiles"], help))
        return bare
    if not isinstance(chosen.value, dict):
        return bare
    merged = overlay(bare, without(chosen, ("include", "profiles")), remove_nulls=True)
    merged.span = bare.span
    return merged


def _profile_faults(name: str, body: Node) -> list[Diagnostic]:
    if body.value is None or body.opaque:
        return []
    if not isinstance(body.value, dict):
        return [error("LR103", f"the profile `{shown(name)}` must be a mapping", body.span)]
    return [
        error("LR101", f"`{key}` is not read inside a profile", body.keys[key], "put it at the top")
        for key in ("include", "profiles")
        if key in body.value
    ]


def _start(span: Span) -> Span:
    return span._replace(end_line=span.line, end_column=span.column)
