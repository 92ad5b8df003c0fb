"""Where secrets stand, and whether the file says them itself or a variable does.

Told by the marks of options, and for classes of others by the names of their
arguments. Runs in whatever thread loads a config.
"""

import functools
import re
from collections.abc import Iterator

from logroute.config.nodes import Node, TupleItems
from logroute.config.readers import OTHER_VARIABLE, Path
from logroute.config.views.entries import handlers, text_of, written
from logroute.config.views.facts import Facts
from logroute.diagnostics import Span
from logroute.light import NamedTuple
from logroute.patterns import lazy_pattern

__all__ = ["Place", "is_written", "secret_default", "secret_in_url", "secret_places", "texts"]

_HUMP = lazy_pattern(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = lazy_pattern(
    r"(?:.*_)?(?:password|passwd|passphrase|pwd|secret|token|api_?key|access_key|secret_key"
    r"|auth_key|private_key|bearer)"
)
_HEADER = lazy_pattern(r"(?:proxy_)?authorization|cookie|(?:.*_)?key")
_HEADERS = ("headers", "header")
#: Our own secret options whose whole value is a secret.
_OPTIONS = ("password", "bearer")
_REFERENCE = lazy_pattern(r"(?:ext|cfg)://|[/~.]+[\w.-]*/|\{\{|<%|<[A-Za-z]")
_DEFAULT = lazy_pattern(r"\$\{(?:env:)?[A-Za-z_]\w*:-([^}]+)\}")
# what nobody would want to keep to himself
_KNOWN_TO_ALL = lazy_pattern(
    r"x+|\*+|-+|change.?me|place.?holder|dummy|tests?|dev(?:elopment)?|none|null|secret|passwor[dt]"
    r"|guest|example|your.*|<.*>|todo|local|default|(?:not|un).?set|fake|empty",
    re.IGNORECASE,
)
_USERINFO = lazy_pattern(r"://[^/@\s:?#]*:(?P<value>[^/@\s?#]+)@")
_QUERY = lazy_pattern(
    r"[?&](?:[\w-]*(?:token|api_?key|password|secret|signature)=(?P<short>[^&\s#]{4,})"
    r"|(?:key|sig|auth|code)=(?P<value>[^&\s#]{16,}))",
    re.IGNORECASE,
)
_WEBHOOK = lazy_pattern(
    r"://(?:hooks\.slack\.com/(?:services|workflows)/\w+/|[\w.]*discord(?:app)?\.com/api/webhooks/"
    r"|api\.telegram\.org/bot|[\w.-]+\.webhook\.office\.com/webhookb2/)(?P<value>[^\s?#]{8,})"
)


class Place(NamedTuple):
    """A value that may be a secret: its path from `root`, which may be another tree."""

    path: Path
    node: Node
    root: Node

    @property
    def span(self) -> Span:
        """Where its key is: an excerpt of that line veils the value."""
        path = self.path
        while isinstance(path[-1], int):
            path = path[:-1]
        parent = self.root.at(path[:-1])
        return self.node.span if parent is None else parent.keys.get(str(path[-1]), parent.span)


def secret_places(facts: Facts) -> Iterator[Place]:
    """Yield each value that is meant to be secret: of handlers, in profiles and `vars` too."""
    known: set[int] = set()
    for place in texts(facts):
        name = str(next(step for step in reversed(place.path) if isinstance(step, str)))
        is_ours = name in _OPTIONS and place.path in facts.view.found.secrets
        is_meant = is_ours or _is_secret_name(name) or _is_password(place)
        if (is_meant or _is_header(place.path)) and not facts.is_broken(place.path):
            known.add(id(place.node))
            yield place
    for head in ((), *_profiles(facts)):
        table = facts.original.at((*head, "vars"))
        for name, node in table.value.items() if table and isinstance(table.value, dict) else ():
            if _is_secret_name(name):
                yield Place((*head, "vars", name), node, facts.original)
    for head in _profiles(facts):  # of which at most one has been laid over the handlers
        for place in _leaves(Place((*head, "handlers"), facts.original, facts.original)):
            name = str(place.path[-1])
            if id(place.node) not in known and (_is_secret_name(name) or _is_header(place.path)):
                yield place


def texts(facts: Facts) -> Iterator[Place]:
    """Yield every scalar of every handler."""
    for name, _ in handlers(facts):
        yield from _leaves(Place(("handlers", name), facts.node, facts.node))


def _profiles(facts: Facts) -> list[Path]:
    table = facts.original.at(("profiles",))
    names = table.value if table is not None and isinstance(table.value, dict) else ()
    return [("profiles", name) for name in names]


def _leaves(place: Place) -> Iterator[Place]:
    """Yield the scalars below a path of a tree."""
    node = place.root.at(place.path)
    if node is None:
        return
    steps = [(place.path, node)]
    while steps:
        path, node = steps.pop()
        if isinstance(node.value, dict):
            steps += [((*path, key), item) for key, item in node.value.items()]
        elif isinstance(node.value, list):
            steps += [((*path, index), item) for index, item in enumerate(node.value)]
        else:
            yield Place(path, node, place.root)


@functools.lru_cache(maxsize=1000)
def _is_secret_name(name: str) -> bool:
    folded = name[:100]
    if not folded.islower():
        folded = _HUMP.sub("_", folded).lower()
    folded = folded.replace("-", "_")
    return _NAME.fullmatch(folded) is not None


def _is_header(path: Path) -> bool:
    folded = str(path[-1]).lower().replace("-", "_")
    return len(path) > 1 and path[-2] in _HEADERS and _HEADER.fullmatch(folded) is not None


def _is_password(place: Place) -> bool:
    """Return whether a value is the second of `credentials: [user, password]`."""
    if place.path[-2:] != ("credentials", 1):
        return False
    pair = place.root.at(place.path[:-1])
    return pair is not None and isinstance(pair.value, list | TupleItems) and len(pair.value) == 2


# -- whether the file says them itself


def is_written(facts: Facts, place: Place) -> bool:
    """Return whether a value stands in the file as it is, and is no word of a template."""
    node = place.node
    if node.opaque or node.untyped or isinstance(node.value, bool) or not node.value:
        return False
    text = str(node.value)
    if OTHER_VARIABLE.match(text) or _REFERENCE.match(text):
        return False
    return _is_literal(facts, place)


def _is_literal(facts: Facts, place: Place) -> bool:
    if place.root is facts.original and facts.original is not facts.node:
        return "${" not in str(place.node.value)
    source = written(facts, place.path)
    if source is not None:
        return source is place.node  # where a variable was put in, there is a new node
    span = place.node.span  # of an included file, which nobody has kept
    width = span.end_column - span.column - len(place.node.text)
    return span.line == span.end_line and width in (0, 2)


def secret_default(facts: Facts, place: Place) -> bool:
    """Return whether a secret comes from a variable whose default is one, too."""
    source = place.node if place.root is facts.original else written(facts, place.path)
    found = _DEFAULT.fullmatch(text_of(source))
    return found is not None and not _KNOWN_TO_ALL.fullmatch(found[1])


def secret_in_url(facts: Facts, place: Place) -> str | None:
    """Return what secret stands in an address itself, in words."""
    text = text_of(place.node)
    if "://" not in text:
        return None
    source = written(facts, place.path)
    if source is None and not _is_literal(facts, place):
        return None
    text = text_of(source) or text
    for pattern, what in (
        (_USERINFO, "a password"),
        (_QUERY, "a token"),
        (_WEBHOOK, "the secret of a webhook"),
    ):
        found = pattern.search(text)
        if found is not None and "$" not in (found["value"] or found[1]):
            return what
    return None
