"""Description: the specs -> one JSON Schema (draft-07) for editors and messages.

The schema is made for editors: a title and a sentence everywhere, `if`/`then`
by kind instead of `oneOf`, so that a mistake is told at its own key. Our own
annotations are `x-expects` (the words of a message) and `$comment` (the code of
a diagnostic where the keyword does not tell it).

``python -m logroute.config.describe`` writes `schemas/logroute.schema.json`.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from logroute.config.decode import FAMILIES, STDLIB_KEYS, top_options
from logroute.config.model import (
    HandlerSpec,
    NetworkHandlerSpec,
    StdFilterSpec,
    StdFormatterSpec,
    StdHandlerSpec,
)
from logroute.light import Any
from logroute.options import Option, Spec, options_of
from logroute.shapes import (
    DURATION,
    SIZE,
    Anything,
    Choice,
    Either,
    Flag,
    Many,
    Name,
    Nested,
    Number,
    Parsed,
    Part,
    Shape,
    Table,
    Text,
    Truth,
)
from logroute.units import format_duration

__all__ = ["FILE_NAME", "document", "find_schema", "render"]

FILE_NAME = "logroute.schema.json"

Schema = dict[str, Any]

FOREIGN: Schema = {"anyOf": [{"required": ["class"]}, {"required": ["()"]}]}
_FLAG_WORDS = f"^({'|'.join(Flag.WORDS)})$"


def find_schema() -> Path:
    """Return the schema's file: inside the package in a wheel, beside it in a checkout."""
    here = Path(__file__).resolve()
    inside = here.parents[1] / "schemas" / FILE_NAME
    return inside if inside.is_file() else here.parents[2] / "schemas" / FILE_NAME


def render(*, with_plugins: bool = False) -> str:
    """Return the text of the schema's file."""
    return json.dumps(document(with_plugins=with_plugins), indent=2, ensure_ascii=False) + "\n"


def document(*, with_plugins: bool = False) -> Schema:
    """Return the schema of a whole file.

    Args:
        with_plugins: describe also the kinds that installed packages add.
    """
    parts = _Definitions(with_plugins=with_plugins)
    properties = {key: parts.option(option) for key, option in top_options().items()}
    properties["version"] = {
        "description": top_options()["version"].doc,
        "const": 1,
        "x-expects": "must be the number 1",
        "$comment": "LR107",
    }
    properties["$schema"] = {"description": "The schema that editors use."}
    ignored: Schema = {"^x-": {}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "logroute config",
        "description": "Where an application's log records go.",
        "type": "object",
        "required": ["version"],
        "properties": properties,
        "patternProperties": ignored,
        "allOf": [
            {
                "if": _says_ours(),
                "then": {
                    "properties": dict.fromkeys(properties, True),
                    "patternProperties": ignored,
                    "additionalProperties": False,
                },
            },
            {
                "if": {
                    "properties": {"incremental": _flag(only=True)},
                    "required": ["incremental"],
                },
                "else": {"properties": {"handlers": {"additionalProperties": _HAS_KIND}}},
            },
        ],
        "definitions": dict(sorted(parts.found.items())),
    }


_HAS_KIND: Schema = {
    "anyOf": [{"required": ["type"]}, *FOREIGN["anyOf"]],
    "x-expects": "needs the key `type`, or stdlib's `class`",
    "$comment": "LR102",
}


def _says_ours() -> Schema:
    """Return what holds for a file that says anything dictConfig has no word for."""
    keys = [key for key in top_options() if key not in STDLIB_KEYS]
    marked = [
        _some_entry(f"{family}s", {"type": "object", "required": [mark], "not": FOREIGN})
        for family, mark in (
            ("handler", "type"),
            ("formatter", "type"),
            ("formatter", "newlines"),
            ("filter", "type"),
        )
    ]
    short_logger = _some_entry("loggers", {"not": {"type": "object"}})
    short_root = {
        "required": ["root"],
        "properties": {"root": {"not": {"type": ["object", "null"]}}},
    }
    return {"anyOf": [*({"required": [key]} for key in keys), *marked, short_logger, short_root]}


def _some_entry(section: str, entry: Schema) -> Schema:
    """Return what holds where some entry of `section` is like `entry`."""
    nothing_like_it = {"type": "object", "additionalProperties": {"not": entry}}
    return {
        "required": [section],
        "properties": {section: {"type": "object", "not": nothing_like_it}},
    }


class _Definitions:
    """The definitions met while describing, one for each spec, kind and family."""

    def __init__(self, *, with_plugins: bool = False) -> None:
        self.with_plugins = with_plugins
        self.found: dict[str, Schema] = {}
        self._owners: dict[str, object] = {}

    def option(self, option: Option) -> Schema:
        """Describe one option: its shape, its sentence, its default."""
        schema = _with_sentence(self.shape(option.shape), option)
        default = _default(option)
        if default is not None:
            schema["default"] = default
        if option.secret:
            schema["writeOnly"] = True
        return _or_null(schema) if option.nullable else schema

    def shape(self, shape: Shape) -> Schema:
        """Describe one shape."""
        return _DESCRIBERS[type(shape)](self, shape)

    def refer(self, name: str, owner: object, make: Callable[[], Schema]) -> Schema:
        """Return a reference to the definition `name`, made once."""
        if name not in self.found:
            self.found[name] = {}  # a spec may mention itself
            self._owners[name] = owner
            self.found[name] = make()
        elif self._owners[name] is not owner:
            if isinstance(owner, type) and not owner.__module__.startswith("logroute."):
                return self.refer(f"{owner.__module__}.{name}", owner, make)  # of a plug-in
            raise ValueError(f"two specs would be called {name!r} in the schema")
        return {"$ref": f"#/definitions/{name}"}

    def spec(self, spec: type[Spec]) -> Schema:
        """Refer to the description of a spec."""
        return self.refer(_kebab(spec), spec, lambda: self.mapping([spec]))

    def mapping(self, specs: list[type[Spec]], head: Schema | None = None) -> Schema:
        """Describe a mapping with the options of all `specs`; the last one names it."""
        options = {key: o for spec in specs for key, o in options_of(spec).items()}
        schema: Schema = {"title": _kebab(specs[-1]), "description": _sentence(specs[-1])}
        schema["type"] = "object"
        schema["properties"] = {
            **(head or {}),
            **{key: self.option(option) for key, option in options.items()},
        }
        required = [key for key, option in options.items() if option.required]
        if required:
            schema["required"] = required
        if not any(spec.lenient for spec in specs):
            schema["additionalProperties"] = False
        return schema

    def family(self, family: str) -> Schema:
        """Refer to the description of an entry of `handlers`, `formatters` or `filters`."""
        return self.refer(family, family, lambda: self._family(family))

    def _family(self, family: str) -> Schema:
        names = FAMILIES[family].names(with_plugins=self.with_plugins)
        kinds: list[Schema] = [{"properties": {"type": {"enum": names, "$comment": "LR105"}}}]
        for name in names:
            is_it = {"properties": {"type": {"const": name}}, "required": ["type"]}
            kinds.append({"if": is_it, "then": self._kind(family, name)})
        marked: Schema = {"not": FOREIGN, "required": ["type"]}
        if family == "formatter":
            marked = {
                "not": FOREIGN,
                "anyOf": [{"required": ["type"]}, {"required": ["newlines"]}],
            }
            untyped: Schema = {"not": {"required": ["type"]}}
            kinds.append({"if": untyped, "then": self._kind(family, "text")})
        return {
            "title": family,
            "type": "object",
            "properties": {"type": {"description": f"Kind of {family}."}},
            "if": marked,
            "then": {"allOf": kinds},
            "else": {"allOf": [self._foreign(family), _contradiction(names)]},
        }

    def _kind(self, family: str, name: str) -> Schema:
        spec: Any = FAMILIES[family].get(name)
        specs: list[type[Spec]] = [spec]
        if family == "handler":
            specs.insert(0, NetworkHandlerSpec if spec.networked else HandlerSpec)
        sentence = _sentence(spec)
        if spec.planned:
            sentence += " Not yet available."
        head = {"type": {"const": name, "description": sentence}}
        return self.refer(f"{family}-{name}", spec, lambda: self.mapping(specs, head))

    def _foreign(self, family: str) -> Schema:
        """Describe what stdlib reads of an entry; other keys may be arguments."""
        if family == "handler":
            return self.refer(
                "handler-foreign",
                StdHandlerSpec,
                lambda: {**self.mapping([StdHandlerSpec]), "additionalProperties": True},
            )
        std: type[Spec] = StdFilterSpec if family == "filter" else StdFormatterSpec
        inner = self.refer(f"{family}-foreign", std, lambda: self.mapping([std]))
        constructed = {"required": ["()"]} if family == "filter" else FOREIGN
        return {"if": {"not": constructed}, "then": inner}


def _contradiction(names: list[str]) -> Schema:
    """Return what fails where `type` names a kind of ours beside a class."""
    return {
        "not": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": names}},
        },
        "$comment": "LR108",
    }


def _kebab(spec: type[Spec]) -> str:
    name = spec.__name__.removesuffix("Spec")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _sentence(spec: type[Spec]) -> str:
    return (spec.__doc__ or "").strip().split("\n")[0]


def _with_sentence(schema: Schema, option: Option) -> Schema:
    sentence = option.doc + (" Not yet available." if option.planned else "")
    if "$ref" in schema:  # whose neighbours are ignored
        return {"description": sentence, "allOf": [schema]}
    return {"description": sentence, **schema}


def _or_null(schema: Schema) -> Schema:
    """Let null through, which stands for the missing key."""
    if "else" in schema:
        return {**schema, "else": _or_null(schema["else"])}
    if "type" not in schema:
        return {"if": {"not": {"type": "null"}}, "then": schema}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    changed = {**schema, "type": list(dict.fromkeys([*kinds, "null"]))}
    if "enum" in schema:
        changed["enum"] = [*schema["enum"], None]
    return changed


def _default(option: Option) -> Any:
    value = option.default
    if option.required or value is None or option.secret:
        return None
    if option.shape is DURATION:
        return format_duration(value)
    if option.shape is SIZE:
        return _size(value)
    if isinstance(value, tuple):
        return list(value) or None
    return value if isinstance(value, str | int | float) else None


def _size(value: int) -> str | int:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return value


# -- describers of shapes --------------------------------------------------------------


def _text(_parts: _Definitions, shape: Any) -> Schema:
    if shape.pattern is None:
        return {"type": "string"}
    schema = {"type": "string", "pattern": f"^(?:{shape.pattern})$"}
    if shape.expects is not None:
        schema |= {"x-expects": shape.expects, "patternErrorMessage": shape.expects}
    return schema


def _name(_parts: _Definitions, shape: Any) -> Schema:
    return {"type": "string", "x-expects": f"must be the name of a {shape.part}"}


def _number(_parts: _Definitions, shape: Any) -> Schema:
    schema: Schema = {"type": "integer" if shape.whole else "number"}
    for key in ("minimum", "maximum"):
        if getattr(shape, key) is not None:
            schema[key] = getattr(shape, key)
    return schema


def _flag(*_: Any, only: bool | None = None) -> Schema:
    if only is None:
        return {
            "type": ["boolean", "string"],
            "pattern": _FLAG_WORDS,
            "x-expects": "must be true or false",
        }
    return {"enum": [only, *(word for word, value in Flag.WORDS.items() if value is only)]}


def _truth(*_: Any) -> Schema:
    return {
        "type": ["boolean", "string", "number", "null"],
        "x-expects": "must be true or false",
    }


def _choice(_parts: _Definitions, shape: Any) -> Schema:
    numbers = [float(value) for value in shape.values if re.fullmatch(r"[0-9]+\.[0-9]+", value)]
    kinds = ["string", "number"] if numbers else "string"
    return {"type": kinds, "enum": [*shape.values, *numbers]}


def _parsed(_parts: _Definitions, shape: Any) -> Schema:
    schema = {**shape.schema, "x-expects": shape.expects}
    if "pattern" in schema:
        schema["patternErrorMessage"] = shape.expects
    return schema


def _many(parts: _Definitions, shape: Any) -> Schema:
    schema: Schema = {"type": "array", "items": parts.shape(shape.item)}
    if shape.minimum:
        schema["minItems"] = shape.minimum
    if not shape.single:
        return schema
    return {"if": {"type": "array"}, "then": schema, "else": parts.shape(shape.item)}


def _table(parts: _Definitions, shape: Any) -> Schema:
    return {"type": "object", "additionalProperties": parts.shape(shape.value)}


def _either(parts: _Definitions, shape: Any) -> Schema:
    nested, short = parts.shape(shape.nested), parts.shape(shape.short)
    return {"if": {"type": "object"}, "then": nested, "else": short}


_DESCRIBERS: Mapping[type[Shape], Callable[[_Definitions, Any], Schema]] = {
    Anything: lambda _parts, _shape: {},
    Choice: _choice,
    Either: _either,
    Flag: _flag,
    Many: _many,
    Name: _name,
    Nested: lambda parts, shape: parts.spec(shape.spec),
    Number: _number,
    Parsed: _parsed,
    Part: lambda parts, shape: parts.family(shape.family),
    Table: _table,
    Text: _text,
    Truth: _truth,
}


def main() -> None:
    """Write the schema beside the package, or inside where it is installed."""
    path = find_schema()
    os.makedirs(path.parent, exist_ok=True)
    path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
