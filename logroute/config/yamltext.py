"""Nodes from YAML events.

PyYAML's composer recurses in C and can kill the process on deep nesting, loses
where aliases stand and keeps the last of equal keys; its event stream does
none of that. Events come from libyaml where it is there, else from PyYAML's
own parser, with the same result. Runs in whatever thread loads a config.
"""

from collections.abc import Callable

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from logroute.config.nodes import (
    MAX_DEPTH,
    MAX_FAULTS,
    SECRET_NAME,
    Budget,
    Node,
    RefusedError,
    shown,
    too_deep,
    too_long,
)
from logroute.config.scalars import MAX_DIGITS, as_core, is_number
from logroute.config.source import Lines, Source
from logroute.diagnostics import Diagnostic, Span, error
from logroute.light import Any
from logroute.patterns import lazy_pattern

__all__ = ["C_PARSER", "PYTHON_PARSER", "build"]

#: Most `%TAG` lines of a text; a config needs none.
MAX_HANDLES = 16

_TAG = "tag:yaml.org,2002:"
_KINDS = {_TAG + "map": "mapping", _TAG + "seq": "list", "!": "any"}
_SCALAR_TAGS = {
    _TAG + "int": (int, "a whole number"),
    _TAG + "float": (int | float, "a number"),
    _TAG + "bool": (bool, "true or false"),
    _TAG + "null": (type(None), "null"),
}
# YAML 1.1 ends lines at these too, editors do not
_ODD_BREAKS = lazy_pattern("[\x85\u2028\u2029]")
_HANDLE = lazy_pattern("(?:\\A|[\r\n\x85\u2028\u2029])%TAG")
_SURROGATE = lazy_pattern(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE = lazy_pattern(r"\\u[dD][89a-fA-F]|\\U0000[dD][89a-fA-F]")


class _PythonParser(yaml.SafeLoader):
    """PyYAML's own parser, with libyaml's view of tabs between tokens."""

    def scan_to_next_token(self) -> None:
        if self.flow_level > MAX_DEPTH:  # it looks far ahead, and ever slower with depth
            line, column = self.line + 1, self.column
            raise too_deep(Span(self.name, line, column, line, column + 1))
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or not self.allow_simple_key):
            self.forward()
            super().scan_to_next_token()


PYTHON_PARSER: Any = _PythonParser
C_PARSER: Any = getattr(yaml, "CSafeLoader", None)


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = (
        "anchor",
        "before",
        "key",
        "key_span",
        "last",
        "merge_span",
        "merged",
        "merges",
        "node",
    )

    def __init__(self, node: Node, anchor: str | None, before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.before = before  # values counted before it, for its own size
        self.key: str | object | None = None  # key that waits for its value
        self.key_span = node.span
        self.last = node.span  # where its last entry ends
        self.merges: list[Node] = []  # mappings to merge in
        self.merge_span: Span | None = None  # place of the merge key
        self.merged = False  # it is the list of a merge key


_CURLY = frozenset("\u201c\u201d\u201e\u2018\u2019\u201a")  # quotes of books, not of YAML
_new = tuple.__new__  # half the price of a named tuple's own constructor
_MERGE = object()
_ONLY_ALIASES = "`<<` takes aliases of mappings only"
_MERGE_CURE = "give the mapping an anchor, `base: &base {...}`, and name that: `<<: *base`"
_DROP = object()  # the entry cannot be kept; a diagnostic was made


def build(
    source: Source, budget: Budget, faults: list[Diagnostic], parser: Any = None
) -> Node | None:
    """Return the root of the one document of `source`; None where there is none.

    Args:
        source: YAML text.
        budget: counts the values.
        faults: gets what is wrong but can be read over.
        parser: the loader class that yields events; default: the fastest.

    Raises:
        RefusedError: what is wrong ends the reading.
    """
    return _Builder(source, budget, faults).run(parser or C_PARSER or PYTHON_PARSER)


class _Builder:
    """Takes events, one method per kind."""

    def __init__(self, source: Source, budget: Budget, faults: list[Diagnostic]) -> None:
        self.name = source.name
        self.text = source.text
        self.budget = budget
        self.faults = faults
        self.frames: list[_Frame] = []
        self.frame: _Frame | None = None
        self.root: Node | None = None
        self.anchors: dict[str, tuple[Node, int | None]] = {}
        self.documents = 0
        is_odd = not self.text.isascii() and _ODD_BREAKS.search(self.text)
        self.lines = Lines(self.text) if is_odd else None
        self.length = len(self.text)

    def run(self, parser: Any) -> Node | None:
        """Read all events; return the root."""
        takers: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            MappingStartEvent: self._start,
            SequenceStartEvent: self._start,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            DocumentStartEvent: self._document,
        }
        handles = _HANDLE.findall(self.text) if "%TAG" in self.text else ()
        if len(handles) > MAX_HANDLES:  # libyaml compares each one with all the others
            top = Span(self.name, 1, 1, 1, 1)
            cure = "remove them: a config needs no tags"
            raise RefusedError(error("LR004", f"more than {MAX_HANDLES} `%TAG` lines", top, cure))
        loader = parser(self.text)
        if parser is PYTHON_PARSER:
            loader.name = self.name
        try:
            while (kind := type(event := loader.get_event())) is not StreamEndEvent:
                taker = takers.get(kind)
                if taker is not None:
                    taker(event)
                    if len(self.faults) >= MAX_FAULTS or self.documents > 1:
                        break
        except yaml.MarkedYAMLError as fault:
            raise RefusedError(self._explain(fault)) from None
        except (yaml.YAMLError, ValueError, RecursionError) as fault:
            top = Span(self.name, 1, 1, 1, 1)
            message = f"not YAML: {type(fault).__name__}"
            cure = "see whether this is the right file"
            raise RefusedError(error("LR005", message, top, cure)) from None
        finally:
            loader.dispose()
        return self.root

    def _span(self, start: Any, end: Any) -> Span:
        if end.index >= self.length:  # libyaml adds a line where the last one is not ended
            self.lines = self.lines or Lines(self.text)
        if self.lines is not None:
            return Span(self.name, *self.lines.place(start.index), *self.lines.place(end.index))
        place = (self.name, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
        return _new(Span, place)

    def _scalar_span(self, event: Any) -> Span:
        """Return the place of the scalar itself, without its anchor and tag."""
        start, end = event.start_mark, event.end_mark
        is_bare = event.anchor is None and event.tag is None
        if is_bare and self.lines is None and end.index < self.length:  # nearly always
            place = (self.name, start.line + 1, start.column + 1, end.line + 1, end.column + 1)
            return _new(Span, place)
        span = self._span(start, end)
        if not is_bare and span.line == span.end_line:
            width = len(event.value) + (2 if event.style else 0)
            if width <= span.end_column - span.column:
                span = span._replace(column=span.end_column - width)
        return span

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._fault(
                "LR008",
                "a second document starts here",
                self._span(event.start_mark, event.end_mark),
                "keep one document per file; `profiles` or `include` hold variants",
            )

    def _scalar(self, event: Any) -> None:
        frame = self.frame
        if frame is not None and frame.key is None and type(frame.node.value) is dict:
            self._key(frame, event.value, self._scalar_span(event), event)
            return
        text, tag = event.value, event.tag
        value: Any = text
        span = self._scalar_span(event)
        self.budget.add(1, span)
        plain = not event.style and tag is None
        opaque = False
        if plain:
            if text[:1] in _CURLY:
                from logroute.config.yamlhints import curly  # only for a fault

                self.faults.append(curly(text[0], span))
            value = as_core(text)
            if value is text and len(text) > MAX_DIGITS and is_number(text):
                self.faults.append(too_long(span))
                opaque = True
        elif event.style == '"' and not text.isascii() and _SURROGATE.search(text):
            raise RefusedError(self._surrogate(event.start_mark.index))
        if tag is not None:
            value, opaque = self._tagged(text, tag, self._span(event.start_mark, event.end_mark))
        node = Node(value, span, None, text, plain, False, False, opaque)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1)
        self._put(node)

    def _tagged(self, text: str, tag: str, span: Span) -> tuple[Any, bool]:
        """Return the value of a tagged scalar, and whether it stays unknown."""
        if tag in ("!", _TAG + "str"):
            return text, False
        if tag not in _SCALAR_TAGS:
            self._bad_tag(tag, span)
            return text, True
        wanted, name = _SCALAR_TAGS[tag]
        value = as_core(text)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            self._fault(
                "LR007",
                f"the tag `{self._tag(tag)}` stands before what is not {name}",
                span,
                "remove the tag",
            )
            return text, True
        return float(value) if tag == _TAG + "float" and value is not None else value, False

    def _key(self, frame: _Frame, text: str, span: Span, event: Any) -> None:
        """Take the key of the next entry."""
        is_alias = type(event) is AliasEvent
        if event.anchor is not None and not is_alias:
            self.anchors[event.anchor] = (Node(text, span, text=text), 1)
        key: str | object = text
        first = frame.node.keys.get(text)
        if not is_alias:
            if event.style == '"' and not text.isascii() and _SURROGATE.search(text):
                raise RefusedError(self._surrogate(event.start_mark.index))
            if text == "<<" and not event.style and event.tag is None:
                key, first, frame.merge_span = _MERGE, frame.merge_span, span
        if first is not None:
            message = f"the key `{shown(text)}` is written twice"
            fault = error("LR006", message, span, "remove one of the two, or make them one")
            self.faults.append(fault._replace(related=(("first written here", first),)))
            if key is _MERGE:
                key = _DROP  # any other key is read as PyYAML reads it: the last one counts
        frame.key = key
        frame.last = span
        frame.key_span = span

    def _alias(self, event: Any) -> None:
        span = self._span(event.start_mark, event.end_mark)
        frame = self.frame
        as_key = frame is not None and frame.key is None and type(frame.node.value) is dict
        node, size = self.anchors.get(event.anchor, (None, 1))
        if node is None or size is None:
            name = self._veiled(f"*{event.anchor}")
            what = "is not defined before" if node is None else "refers to what it is part of"
            self._fault(
                "LR009",
                f"the alias `{name}` {what}",
                span,
                "mark a value with `&` above; put a text that starts with `*` in quotes"
                if node is None
                else "name the part by an alias outside of it only",
            )
            node, size = Node(None, span, opaque=True), 1
            if frame is not None and as_key:
                frame.key = _DROP
                return
        self.budget.add(size or 1, span)
        if frame is not None and as_key and not isinstance(node.value, dict | list):
            self._key(frame, node.text, span, event)
        elif frame is not None and (frame.merged or frame.key is _MERGE):
            self._merge(frame, node, span)
        else:
            self._put(node, span)

    def _merge(self, frame: _Frame, node: Node, span: Span) -> None:
        if node.opaque and not isinstance(node.value, dict):
            pass  # an alias that was refused already
        elif not isinstance(node.value, dict):
            self._fault("LR009", _ONLY_ALIASES, span, _MERGE_CURE)
        else:
            frame.merges.append(node)
        if not frame.merged:
            frame.key = None
        frame.last = span

    def _start(self, event: Any) -> None:
        parent = self.frame
        span = self._span(event.start_mark, event.end_mark)
        self.budget.add(1, span)
        if len(self.frames) >= MAX_DEPTH:
            raise too_deep(span)
        is_list = type(event) is SequenceStartEvent
        opaque = False
        if event.tag is not None and _KINDS.get(event.tag) not in (
            "any",
            "list" if is_list else "mapping",
        ):
            self._bad_tag(event.tag, span)
            opaque = True
        node = Node([], span) if is_list else Node({}, span, {})
        node.opaque = opaque
        frame = _Frame(node, event.anchor, self.budget.nodes)
        if parent is not None and parent.key is _MERGE and is_list:
            frame.merged = True
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, None)
        self.frames.append(frame)
        self.frame = frame

    def _end(self, event: Any) -> None:
        frame = self.frames.pop()
        self.frame = self.frames[-1] if self.frames else None
        node = frame.node
        end = self._span(event.start_mark, event.end_mark)
        if event.start_mark.index == event.end_mark.index:  # block style: it ended before
            end = frame.last
        node.span = node.span._replace(end_line=end.end_line, end_column=end.end_column)
        if frame.merged:
            parent = self.frames[-1]
            parent.merges.extend(frame.merges)
            parent.key = None
            parent.last = node.span
            return
        if frame.merges:
            _merge_in(node, frame.merges)
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (node, self.budget.nodes - frame.before + 1)
        self._put(node)

    def _put(self, node: Node, span: Span | None = None) -> None:
        """Give a finished value to the list or mapping it stands in."""
        frame = self.frame
        if frame is None:
            self.root = node
            return
        frame.last = span or node.span
        entries = frame.node.value
        if frame.merged or frame.key is _MERGE:
            self._fault("LR009", _ONLY_ALIASES, frame.last, _MERGE_CURE)
            frame.key = None
        elif type(entries) is list:
            entries.append(node)
        elif frame.key is None:
            if all(fault.code != "LR005" for fault in self.faults):  # the first says it all
                self._fault(
                    "LR005",
                    "a key must be a text, not a list or mapping",
                    frame.last,
                    "put it in quotes; a template has to be filled in first",
                )
            frame.key = _DROP
        else:
            if frame.key is not _DROP:
                entries[frame.key] = node
                frame.node.keys[frame.key] = frame.key_span  # type: ignore[index]
            frame.key = None

    def _fault(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        self.faults.append(error(code, message, span, help))

    def _bad_tag(self, tag: str, span: Span) -> None:
        self._fault(
            "LR007",
            f"the tag `{self._tag(tag)}` is not read here; no object is made from a file",
            span,
            "put a text that starts with `!` in quotes",
        )

    def _tag(self, tag: str) -> str:
        return self._veiled("!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag)

    def _veiled(self, word: str) -> str:
        """Return a word of the file for a message, unless it may be a password."""
        key = self.frame.key if self.frame is not None else None
        return "********" if isinstance(key, str) and SECRET_NAME.search(key) else shown(word)

    def _surrogate(self, index: int) -> Diagnostic:
        found = _SURROGATE_ESCAPE.search(self.text, index)
        at = found.start() if found else index
        from logroute.config.yamlhints import explain  # only for a fault

        return explain(self.text, at, "surrogate", None, self.name)

    def _explain(self, fault: yaml.MarkedYAMLError) -> Diagnostic:
        mark, context = fault.problem_mark, fault.context_mark
        index = min(mark.index, len(self.text)) if mark is not None else 0
        start = context.index if context is not None else None
        problem = f"{fault.context or ''}: {fault.problem}"
        from logroute.config.yamlhints import explain  # only for a fault

        return explain(self.text, index, problem, start, self.name)


def _merge_in(node: Node, merges: list[Node]) -> None:
    """Put the entries of `merges` before the own ones, which win, as YAML 1.1 does."""
    values: dict[str, Node] = {}
    keys: dict[str, Span] = {}
    for other in (*reversed(merges), node):
        values.update(other.value)
        keys.update(other.keys)
    node.value, node.keys = values, keys
