"""Hostile and broken configs, made from a seed: bytes, text, YAML from our own keys, mutations.

Everything is drawn from a `random.Random`, so that a seed is a reproducer. The
options of all kinds come from the specs; values are right, nearly right, or hostile.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from logroute.config.decode import FAMILIES, top_options
from logroute.config.model import HandlerSpec, LoggerSpec, NetworkHandlerSpec, RouteSpec, TestSpec
from logroute.matchers import FieldSpec, MatchSpec
from logroute.options import Option, options_of
from logroute.shapes import Choice, Either, Flag, Many, Name, Nested, Number, Parsed, Table, Text

ROOT = Path(__file__).resolve().parents[2]

NAMES = ["a", "b", "app", "app.db", "root", "", "console", "log-file", "a.b.c.d", "*", "app.*"]
ODD_NAMES = ["é", "日本", "\u202e", "a b", "a:b", "#x", "'", '"', "\\", "null", "1", "on", "<<"]
ODD_NAMES += ["\t", "\u200b", "x" * 300, "\u2028", "\U0001f600", "${A}", "ext://sys", "-", "%s"]
SCALARS: list[Any] = [None, True, False, 0, 1, -1, 3, 7, 10, 40, 99999, 0.5, -0.0, 1e308]
SCALARS += ["", " ", "no", "True", "INFO", "info", "WARN", "=DEBUG", ">=30", "DEBUG..INFO"]
SCALARS += ["10MiB", "5s", "1d", "-1s", "0", "9" * 30, "${A}", "${A:-x}", "${env:B}", "${var:v}"]
SCALARS += ["${file:/etc/hostname}", "${", "${}", "${A:-${B}}", "$${A}", "x" * 500, "é\u202e"]
SCALARS += ["%(asctime)s %(nope)s", "{message", "%(message)", "${message}", "%Y-%m-%q", "a\nb"]
SCALARS += ["(a+)+$", "(", "[", "(?P<x>a)", "a{1000}{1000}", "\\", "(?i)x", "app.*", ".", ".."]
SCALARS += ["logs/app.log", "/dev/null", "/", "~/x.log", "../../x", "/tmp/x", "C:\\x"]
SCALARS += ["127.0.0.1:9021", "[::1]:1", "host:99999", ":1", "unix:/x", "https://u:p@x/", "x://"]
SCALARS += [
    "logging.StreamHandler",
    "logging.handlers.SMTPHandler",
    "os.system",
    "ext://sys.stdout",
]
SCALARS += [
    "cfg://handlers.a",
    "logging.Formatter",
    "a..b",
    "smtp.example.org",
    "a@b",
    "@",
    "<a@b>",
]
RAW = [".nan", ".inf", "-.inf", "0x1f", "0o17", "017", "1_000", "2024-01-01", "2024-13-45", "12:30"]
RAW += [
    "9" * 5000,
    "1e999",
    "~",
    "!!str 1",
    "!!int x",
    "!x y",
    "&z 1",
    "*z",
    "*nope",
    "<<",
    "=",
    "?",
]
RAW += [
    "!!python/object/apply:os.system [id]",
    "!!binary aGk=",
    "!!set {a}",
    "|",
    ">-",
    "- - -",
    "@x",
]
RAW += [
    "'",
    '"',
    '"\\ud800"',
    '"\\x00"',
    "{",
    "]",
    "# x",
    "%TAG",
    "---",
    "...",
    "`x`",
    "\t",
    "\ufeff",
]


class Sample(NamedTuple):
    """A config to check."""

    data: bytes
    syntax: str = "yaml"
    made: str = ""


# -- from our own keys


class Writer:
    """Draws documents from the options of the specs."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.left = 400  # values
        self.oddity = rng.choice([0, 0, 0.01, 0.1])
        self.handlers = self._names()
        self.formatters = self._names()
        self.filters = self._names()

    def _names(self) -> list[str]:
        rng = self.rng
        names = rng.sample(NAMES, rng.randint(1, 4))
        return [*names, rng.choice(ODD_NAMES)] if rng.random() < 3 * self.oddity else names

    def document(self) -> dict[str, Any]:
        rng = self.rng
        document: dict[str, Any] = {"version": self.scalar() if rng.random() < self.oddity else 1}
        document["formatters"] = self.parts("formatter", self.formatters)
        document["filters"] = self.parts("filter", self.filters)
        document["handlers"] = self.parts("handler", self.handlers)
        names = rng.sample(NAMES + ODD_NAMES if self.oddity else NAMES, rng.randint(0, 4))
        document["loggers"] = {name: self.either_level(LoggerSpec) for name in names}
        document["root"] = self.either_level(LoggerSpec)
        document["routes"] = [self.options(RouteSpec, 0.4) for _ in range(rng.randint(0, 5))]
        document["tests"] = [self.options(TestSpec, 0.6) for _ in range(rng.randint(0, 2))]
        for key, option in top_options().items():
            likely = self.oddity if option.planned else 0.15
            if key not in document and rng.random() < likely:
                document[key] = self.value(option)
        if rng.random() < 0.9:
            document["vars"] = {"v": rng.choice(WORDS), "w": "x"}
        if rng.random() < 0.2:
            part = rng.choice(["handlers", "routes", "root", "loggers"])
            odd = {"odd": self.scalar()} if self.oddity else {}
            document["profiles"] = {"dev": {part: document.get(part)}, **odd}
        if rng.random() < 4 * self.oddity:
            document["include"] = rng.choice(INCLUDES)
        if self.oddity:
            for key in rng.sample(sorted(document), rng.choice([0, 0, 1, 3, 6])):
                del document[key]
            if rng.random() < 0.5:
                self.spoil(document)
        return document

    def parts(self, family: str, names: list[str]) -> dict[str, Any]:
        return {name: self.part(family) for name in names}

    def part(self, family: str) -> Any:
        rng, table = self.rng, FAMILIES[family]
        roll = rng.random()
        if roll < 0.15 and (self.oddity or family == "handler"):
            key = rng.choice(["class", "()"])
            entry = {key: rng.choice([item for item in SCALARS if isinstance(item, str)])}
            if family == "handler" and (roll < 0.12 or not self.oddity):
                entry = {"class": rng.choice(CLASSES)}
            for argument in rng.sample(ARGUMENTS, rng.randint(0, 4)):
                entry[argument] = self.scalar()
            return entry
        kinds = sorted(table.names())
        if not self.oddity:
            kinds = [name for name in kinds if not table.get(name).planned]
        kind = rng.choice(kinds)
        made = {"type": kind, **self.options(table.get(kind), rng.choice([0.1, 0.3, 0.7]))}
        if family == "handler":
            outer = NetworkHandlerSpec if table.get(kind).networked else HandlerSpec
            made |= self.options(outer, rng.choice([0.1, 0.3]))
        return made

    def either_level(self, spec: Any) -> Any:
        if self.rng.random() < 0.4:
            return self.rng.choice(["DEBUG", "INFO", "WARNING", "error", 10])
        return self.options(spec, 0.5)

    def options(self, spec: Any, share: float) -> dict[str, Any]:
        self.left -= 1
        made = {}
        for key, option in options_of(spec).items():
            likely = self.oddity if option.planned else share
            if self.left > 0 and (option.required or self.rng.random() < likely):
                made[key] = self.value(option)
        return made

    def value(self, option: Option) -> Any:
        if self.rng.random() < self.oddity:
            return self.scalar()
        return EXACT[option.key](self.rng) if option.key in EXACT else self.shaped(option.shape)

    def shaped(self, shape: Any) -> Any:
        self.left -= 1
        rng = self.rng
        if self.left < 0 or rng.random() < self.oddity / 4:
            return self.scalar()
        if isinstance(shape, Name):
            known = {"handler": self.handlers, "formatter": self.formatters}
            return rng.choice(known.get(shape.part, self.filters))
        if isinstance(shape, Text):
            fits = [
                word for word in WORDS if not shape.pattern or re.fullmatch(shape.pattern, word)
            ]
            return rng.choice(fits or ["x"])
        if isinstance(shape, Choice):
            return rng.choice(shape.values)
        if isinstance(shape, Flag):
            return rng.choice([True, False, "yes", "off"])
        if isinstance(shape, Number):
            low = 0 if shape.minimum is None else int(shape.minimum)
            high = low + 100 if shape.maximum is None else int(shape.maximum)
            return rng.choice([low, high, rng.randint(low, max(low, high))])
        if isinstance(shape, Parsed):
            words = {"size": ["10MiB", 1, "0", "1kB"], "duration": ["5s", 0, "1d", 0.1]}
            return rng.choice(words.get(shape.name, ["INFO", "DEBUG", "error", 35]))
        if isinstance(shape, Many):
            items = [self.shaped(shape.item) for _ in range(rng.randint(shape.minimum, 3))]
            return items[0] if items and shape.single and rng.random() < 0.3 else items
        if isinstance(shape, Table):
            names = rng.sample(NAMES, rng.randint(0, 2))
            return {name: self.shaped(shape.value) for name in names}
        if isinstance(shape, Nested | Either):
            spec = shape.spec if isinstance(shape, Nested) else shape.nested
            if isinstance(shape, Either) and rng.random() < 0.5:
                return self.shaped(shape.short)
            return self.options(spec, 0.3) if isinstance(spec, type) else self.shaped(spec)
        return self.scalar()

    def scalar(self) -> Any:
        rng = self.rng
        roll = rng.random()
        if roll < 0.1:
            return [self.scalar() for _ in range(rng.randint(0, 3))]
        if roll < 0.2:
            return {rng.choice(KEYS): self.scalar() for _ in range(rng.randint(0, 3))}
        if roll < 0.2 + self.oddity:
            return Raw(rng.choice(RAW))
        return rng.choice(SCALARS)

    def spoil(self, document: Any) -> None:
        """Rename, remove or replace some entries anywhere."""
        rng = self.rng
        for _ in range(rng.randint(1, 4)):
            holders = list(mappings(document))
            holder = rng.choice(holders)
            if not holder:
                continue
            key = rng.choice(list(holder))
            action = rng.randrange(4)
            if action == 0:
                holder[misspelt(rng, key)] = holder.pop(key)
            elif action == 1:
                holder[key] = self.scalar()
            elif action == 2:
                holder[rng.choice(KEYS)] = self.scalar()
            else:
                holder[rng.choice(ODD_NAMES)] = holder[key]


#: Values of keys that a table of options does not describe well enough.
EXACT: dict[str, Any] = {
    "logger": lambda rng: rng.choice(["app", "app.db", ["a", "app.*"], "root", "*", "a.b"]),
    "message": lambda rng: rng.choice(["declined", "^a", "x|y", "(a+)+$", ".*", "\\d+"]),
    "regex": lambda rng: rng.choice(["a", "^x.*y$", "[0-9]+"]),
    "exception": lambda rng: "ValueError",
    "patterns": lambda rng: rng.choice(["secret=\\S+", ["a", "b+"], "(a)"]),
    "format": lambda rng: rng.choice(["%(message)s", "%(asctime)s %(name)s %(message)s", "x"]),
    "style": lambda rng: rng.choice(["%", "%", "{", "$"]),
    "levels": lambda rng: rng.choice([{}, {"TRACE": 5}, {"AUDIT": 35, "B": 35}]),
    "time": lambda rng: "2026-05-01T12:00:00Z",
    "version": lambda rng: 1,
    "include": lambda rng: "plain.yaml",
    "overflow": lambda rng: rng.choice(["block", "shed", "drop_newest"]),
    "mode": lambda rng: "0640",
    "unmatched": lambda rng: "drop",
    "flush_on": lambda rng: ["SIGTERM"],
    "incremental": lambda rng: False,
    "tests": lambda rng: [],
    "profiles": lambda rng: {"dev": {"root": {"level": "DEBUG"}}},
}
WORDS = ["x", "app", "logs/app.log", "/var/log/x.log", "app@example.org", "mx.example.org", "name"]
WORDS += ["127.0.0.1:9021", "collector.example.org:9020", "https://h.example.org/x", "${A}", "%Y"]
WORDS += ["http://127.0.0.1:8080/", "unix:/run/x", "${var:v}", "${env:B:-x}", "tenant", "user_id"]


class Raw(str):
    """Text that is written into YAML as it is."""

    __slots__ = ()


INCLUDES: list[Any] = [
    "main.yaml",
    "a.yaml",
    ["a.yaml", "b.yaml"],
    "*.yaml",
    "plain.yaml",
    "bad.yaml",
]
INCLUDES += ["nowhere.yaml", "/etc/passwd", "..", "", 5, ["plain.yaml"] * 3, "bomb.yaml", "${A}"]
CLASSES = ["logging.StreamHandler", "logging.FileHandler", "logging.handlers.RotatingFileHandler"]
CLASSES += ["logging.handlers.SMTPHandler", "logging.handlers.SysLogHandler", "logging.NullHandler"]
CLASSES += ["logging.handlers.TimedRotatingFileHandler", "logging.handlers.MemoryHandler", "x.Y"]
CLASSES += ["logging.handlers.QueueHandler", "logging.handlers.SocketHandler", "logging.Nope"]
CLASSES += ["logging.handlers.HTTPHandler", "logging.handlers.DatagramHandler"]
ARGUMENTS = ["level", "formatter", "filters", "filename", "maxBytes", "backupCount", "when", "mode"]
ARGUMENTS += [
    "stream",
    "mailhost",
    "fromaddr",
    "toaddrs",
    "subject",
    "address",
    "host",
    "port",
    ".",
]
ARGUMENTS += ["encoding", "delay", "target", "capacity", "flushLevel", "interval", "utc", "atTime"]
ARGUMENTS += ["queue", "listener", "handlers", "url", "secure", "credentials", "timeout", "errors"]
KEYS = sorted(
    {
        "class",
        "()",
        ".",
        "type",
        "<<",
        "x-a",
        "levle",
        "propogate",
        "maxBytes",
        "filename",
        "$schema",
    }
    | set(top_options())
    | {key for spec in (MatchSpec, RouteSpec, LoggerSpec, FieldSpec) for key in options_of(spec)}
    | {k for t in FAMILIES.values() for name in t.names() for k in options_of(t.get(name))}
)


def misspelt(rng: random.Random, word: str) -> str:
    """Return `word` with a letter dropped, doubled or swapped, or in another case."""
    if not word:
        return "x"
    at = rng.randrange(len(word))
    return rng.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            word.upper(),
            word.replace("_", "-"),
            word + ":",
            word + "\u200b",
        ]
    )


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in `value`."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from mappings(item)
    elif isinstance(value, list):
        for item in value:
            yield from mappings(item)


class Yaml:
    """Writes a document as YAML of many styles, with anchors, tags and comments."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.anchors = 0
        self.is_wild = rng.random() < 0.5
        self.step = rng.choice(["  ", "  ", "    ", " "])

    def write(self, value: Any) -> str:
        rng = self.rng
        text = self.block(value, "").lstrip("\n") + "\n"
        if rng.random() < 0.05:
            text = "---\n" + text + rng.choice(["", "...\n", "---\nb: 1\n"])
        if rng.random() < 0.05:
            text = text.replace("\n", rng.choice(["\r\n", "\r", "\u2028"]))
        return "\ufeff" + text if rng.random() < 0.02 else text

    def block(self, value: Any, indent: str) -> str:
        rng = self.rng
        if not value or not isinstance(value, dict | list) or rng.random() < 0.2:
            return " " + self.prefix() + self.flow(value) + self.comment()
        lines = []
        inner = indent + self.step
        if isinstance(value, list):
            for item in value:
                text = self.block(item, inner)
                lines.append(f"{indent}-{text}")
        else:
            for key, item in value.items():
                lines.append(f"{indent}{self.key(key)}:{self.block(item, inner)}")
                if self.is_wild and rng.random() < 0.02 and self.anchors:
                    lines.append(f"{indent}<<: *n{rng.randrange(self.anchors + 1)}")
        start = " " + self.prefix() if self.is_wild and rng.random() < 0.1 else ""
        return start.rstrip() + self.comment() + "\n" + "\n".join(lines)

    def prefix(self) -> str:
        rng = self.rng
        if not self.is_wild or rng.random() > 0.06:
            return ""
        if rng.random() < 0.7:
            self.anchors += 1
            return f"&n{self.anchors} "
        return rng.choice(["!!str ", "!x ", "!!map ", "! ", "!!python/name:os.system "])

    def comment(self) -> str:
        if not self.is_wild or self.rng.random() > 0.05:
            return ""
        words = [" # x", "  # logroute: ignore[LR302] x", " # logroute: ignore", "\t#", " #é"]
        return self.rng.choice(words)

    def key(self, key: Any) -> str:
        word = str(key)
        if re.fullmatch(r"[A-Za-z_][\w.-]*", word) and self.rng.random() < 0.95:
            return word
        return json.dumps(word, ensure_ascii=self.rng.random() < 0.5)

    def flow(self, value: Any) -> str:
        rng = self.rng
        if isinstance(value, Raw):
            return str(value)
        if self.is_wild and self.anchors and rng.random() < 0.03:
            return f"*n{rng.randrange(1, self.anchors + 1)}"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.key(k)}: {self.flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.flow, value)) + "]"
        if isinstance(value, str):
            return self.text(value)
        return "null" if value is None else json.dumps(value)

    def text(self, value: str) -> str:
        rng = self.rng
        if re.fullmatch(r"[\w/.][\w./%()$@+-]*", value) and rng.random() < 0.8:
            return value
        if "\n" not in value and rng.random() < 0.4:
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def structured(rng: random.Random) -> Sample:
    """Return a config of our own keys, as YAML mostly, else as JSON."""
    document = Writer(rng).document()
    if rng.random() < 0.08:
        text = json.dumps(document, indent=rng.choice([None, 1, 2]))
        return Sample(text.encode(), "json", "structured json")
    text = Yaml(rng).write(document)
    sample = Sample(text.encode("utf-8", "replace"), "yaml", "structured")
    return mutated(rng, [sample]) if rng.random() < 0.1 else sample


def made(rng: random.Random, kind: str, samples: "list[Sample]") -> Sample:
    """Return a sample: of `bytes`, `text`, `ours` (our own keys), `changed` samples, or `any`."""
    if kind == "any":
        kind = rng.choice(["bytes", "text", "ours", "ours", "changed", "changed", "changed"])
    if kind == "bytes":
        return Sample(rng.randbytes(rng.choice([1, 5, 50, 500])), rng.choice(SYNTAXES), kind)
    if kind == "text":
        letters = [rng.choice(LETTERS) for _ in range(rng.choice([1, 5, 50, 500]))]
        return Sample("".join(letters).encode("utf-8", "replace"), rng.choice(SYNTAXES), kind)
    return structured(rng) if kind == "ours" else mutated(rng, samples)


SYNTAXES = ["yaml", "yaml", "yaml", "json", "toml"]
LETTERS = [
    *"  \n\n\t:-,[]{}#&*!|>'\"%@`?~=\\$<.abc019é\uff21日\u202e\u2028\x85\ufeff",
    "\r\n",
    "version: 1\n",
]


# -- mutations


def corpus() -> list[Sample]:
    """Return the configs that are there: samples, bad ones, fixtures of rules, others' files."""
    folders = ["sample-configs", "tests/config/bad", "tests/config/rules", "../shared/corpus"]
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".yaml", ".yml", ".json", ".toml", ".ini") and path.is_file():
                syntax = {".json": "json", ".toml": "toml"}.get(path.suffix, "yaml")
                found.append(Sample(path.read_bytes(), syntax, path.name))
    return found


def mutated(rng: random.Random, samples: list[Sample]) -> Sample:
    """Return one of the samples after a few changes."""
    sample = rng.choice(samples)
    lines = sample.data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        rng.choice(MUTATIONS)(rng, lines, samples)
    data = "\n".join(lines).encode("utf-8", "replace")
    if rng.random() < 0.05:
        data = flipped(rng, data)
    return Sample(data[:200_000], sample.syntax, f"mutated {sample.made}")


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Return `data` with a few other bytes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _at(rng: random.Random, lines: list[str]) -> int:
    return rng.randrange(len(lines))


def delete(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    del lines[at : at + rng.choice([1, 1, 2, 5])]
    if not lines:
        lines.append("")


def duplicate(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    lines[at:at] = lines[at : at + rng.choice([1, 1, 3, 8])] * rng.choice([1, 1, 2, 20])


def swap(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    one, other = _at(rng, lines), _at(rng, lines)
    lines[one], lines[other] = lines[other], lines[one]


def indent(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    for number in range(at, min(len(lines), at + rng.choice([1, 1, 3]))):
        line = lines[number]
        lines[number] = rng.choice([" " + line, "  " + line, line[1:], line[2:], "\t" + line])


def truncate(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    if rng.random() < 0.3:
        del lines[at + 1 :]


def flip(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    line = lines[at]
    place = rng.randrange(len(line) + 1)
    letter = rng.choice(":,-{}[]#'\"&*!|>%@`\t ?=\\$(){}é\uff21\u202e\u200b\u2028\ufeff\x07\x85")
    lines[at] = line[:place] + letter + line[place + rng.randrange(2) :]


def splice(rng: random.Random, lines: list[str], samples: list[Sample]) -> None:
    other = rng.choice(samples).data.decode("utf-8", "replace").split("\n")
    start = rng.randrange(len(other))
    at = _at(rng, lines)
    lines[at : at + rng.randrange(4)] = other[start : start + rng.choice([1, 3, 10, 1000])]


def revalue(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    head, colon, _tail = lines[at].partition(":")
    if colon:
        value = rng.choice(SCALARS)
        text = rng.choice([rng.choice(RAW), json.dumps(value), Yaml(rng).flow(value)])
        lines[at] = f"{head}: {text}"


def misspell(rng: random.Random, lines: list[str], _: list[Sample]) -> None:
    at = _at(rng, lines)
    words = list(re.finditer(r"\w+", lines[at]))
    if words:
        word = rng.choice(words)
        new = rng.choice([misspelt(rng, word[0]), rng.choice(KEYS), rng.choice(NAMES)])
        lines[at] = lines[at][: word.start()] + new + lines[at][word.end() :]


MUTATIONS = [delete, duplicate, swap, indent, truncate, flip, splice, revalue, revalue, misspell]
