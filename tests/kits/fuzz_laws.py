"""What must hold of a check whatever the file: asserted for one sample after the other."""

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from fuzz_input import Sample

from logroute.app import build as building
from logroute.app.examples import describe
from logroute.app.examples import run as run_example
from logroute.app.explain import Explainer
from logroute.app.explanation import narrate
from logroute.app.suites import load_suite
from logroute.cli.checks.select import Selection
from logroute.cli.diffs import Difference
from logroute.cli.diffs.options import PartsOf, compare_parts
from logroute.cli.diffs.render import render_json, render_text
from logroute.cli.diffs.routing import TooLargeError, compare_routing
from logroute.cli.files import Way, report_on
from logroute.cli.fixes.patch import make_patch
from logroute.cli.fixes.rounds import Task, fix_source
from logroute.cli.graphs import dot, html, mermaid, svg, tree
from logroute.cli.graphs import json as graph_json
from logroute.cli.graphs.build import build as draw
from logroute.cli.graphs.words import Scale
from logroute.cli.report import FileReport, Report, github, jsonl, junit, sarif, text
from logroute.cli.report import json as report_json
from logroute.cli.verdicts import Results
from logroute.cli.verdicts import json as verdicts_json
from logroute.cli.verdicts import junit as verdicts_junit
from logroute.cli.verdicts import text as verdicts_text
from logroute.cli.verdicts.coverage import measure
from logroute.config.load import Loaded, load
from logroute.config.model import Config, Foreign, RecordSpec
from logroute.config.source import Source, from_bytes, read_path, split_lines
from logroute.diagnostics import NAMES, Diagnostic, Severity, Span
from logroute.errors import ConfigError

ENVIRON = {"A": "a b", "B": "7", "EMPTY": ""}
#: What `main.yaml` of a sample may include.
BESIDE = {
    "a.yaml": "include: b.yaml\nhandlers: {a: {type: console}}\n",
    "b.yaml": "include: [a.yaml, main.yaml]\nloggers: {a: INFO}\n",
    "plain.yaml": "handlers: {console: {type: console}}\nloggers: {x: INFO}\n",
    "bad.yaml": "handlers: [\n",
    "bomb.yaml": "a: &a [x, x, x]\nb: &b [*a, *a]\nx-c: [*b, *b]\n",
}


class Examiner:
    """Checks samples in a folder of its own; keeps how long each step took at most.

    Attributes:
        worst: CPU seconds, by step, of the slowest sample, which stands beside.
        seen: how often each code was found.
        configs: how many samples are configs that can be used.
    """

    def __init__(self, folder: Path, share: float = 1.0) -> None:
        """Look at the fixes of a `share` of the samples: they take far longer than all else."""
        self.folder = folder
        self.share = share
        self.worst: dict[str, tuple[float, Sample]] = {}
        self.seen: dict[str, int] = {}
        self.configs = 0
        self._last: Loaded | None = None
        self._sample = Sample(b"")
        self._skipped = 0.0
        for name, content in BESIDE.items():
            (folder / name).write_text(content)

    def examine(self, sample: Sample) -> None:
        """Assert all that must hold of one sample."""
        self._sample = sample
        path = self.folder / "main.yaml"
        if b"include" in sample.data:
            path.write_bytes(sample.data)
        name = str(path) if sample.syntax == "yaml" else f"main.{sample.syntax}"
        source, found = from_bytes(sample.data, name, sample.syntax, str(path))
        way = Way(Selection(is_verbose=True), environ=ENVIRON)
        if source is None:
            loaded = Loaded(None, tuple(found), None, None)
            report = FileReport(name, tuple(found), {}, "", is_complete=False)
        else:
            with self._timed("load"):
                loaded = way.load(source)
            with self._timed("report"):
                report = report_on(source, loaded, way)
        read = sample.data.decode("latin-1") if source is None else source.text
        self._check_findings(loaded, name, read)
        self._check_formats(report)
        if source is not None:
            self._check_agreement(source, loaded)
            self._check_fixes(source, loaded, way)
            if loaded.config is not None:
                self.configs += 1
                self._check_commands(source, loaded)

    @contextlib.contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.process_time()
        yield
        took = time.process_time() - start
        if took > self.worst.get(step, (0.0,))[0]:
            self.worst[step] = took, self._sample

    # -- findings

    def _check_findings(self, loaded: Loaded, name: str, content: str) -> None:
        texts = {name: split_lines(content)}
        for item in loaded.diagnostics:
            self.seen[item.code] = self.seen.get(item.code, 0) + 1
            assert item.code in NAMES, item
            assert item.message, item
            for words in (item.message, item.help or "", *(label for label, _ in item.related)):
                assert "\n" not in words, item
                assert len(words) < 1500, (len(words), item)
                words.encode()
            for span in (item.span, *(span for _, span in item.related)):
                assert_inside(span, texts, item)
            for edit in item.fix.edits if item.fix else ():
                assert_inside(edit.span, texts, item)
        is_good = not any(item.severity is Severity.ERROR for item in loaded.diagnostics)
        assert (loaded.config is not None) is is_good, loaded.diagnostics

    def _check_agreement(self, source: Source, loaded: Loaded) -> None:
        """What a check calls an error, a load without advice refuses, or building does."""
        plain = load(source, environ=ENVIRON, read_secrets=False)
        errors = {item for item in loaded.diagnostics if item.severity is Severity.ERROR}
        refused = {item for item in plain.diagnostics if item.severity is Severity.ERROR}
        if len(loaded.diagnostics) < 1000 and len(plain.diagnostics) < 1000:
            assert refused <= errors, refused - errors
        if plain.config is None:
            assert loaded.config is None, "a check finds nothing wrong"
        elif not is_foreign(plain.config):
            fault = build_fault(plain)
            assert (fault is not None) is bool(errors), (fault, errors)

    # -- output

    def _check_formats(self, file: FileReport) -> None:
        report = Report([file])
        with self._timed("text"):
            plain = text.render(report)
            for encoding in ("utf-8", "ascii"):
                style = text.Style(is_colored=True, encoding=encoding)
                text.render(report, style).encode(encoding)
            brief = text.render(report, text.Style(is_brief=True))
            text.render(report, text.Style(counts=True, most=1, is_quiet=True))
        plain.encode()
        assert len(plain) < 5_000 * (1 + len(file.diagnostics)), len(plain)
        assert len(split_lines(brief.strip("\n"))) == len(file.diagnostics) + 1, brief
        with self._timed("json"):
            document = json.loads(report_json.render(report, counts=True))
            assert len(document["diagnostics"]) == len(file.diagnostics)
        with self._timed("machines"):
            for line in jsonl.render(report).splitlines():
                json.loads(line)
            github.render(report).encode()
            json.loads(sarif.render(report))
            ET.fromstring(junit.render(report))

    # -- fixes

    def _check_fixes(self, source: Source, loaded: Loaded, way: Way) -> None:
        self._skipped += self.share
        if self._skipped < 1 or not any(item.fix for item in loaded.diagnostics):
            return
        self._skipped -= 1
        errors = count_errors(loaded)
        for is_unsafe in (False, True):
            task = Task(way.load, is_unsafe=is_unsafe)
            with self._timed("fix"):
                fixed = fix_source(source, task)
            assert (fixed.cured > 0) is (fixed.source.text != source.text)
            if not errors:
                assert not count_errors(fixed.loaded), fixed.source.text
            if fixed.cured:
                again = fix_source(fixed.source, task)
                assert not again.cured, (fixed.source.text, again.source.text)
                "\n".join(make_patch(source, fixed.source, loaded, fixed.loaded).lines)

    # -- the other commands

    def _check_commands(self, source: Source, loaded: Loaded) -> None:
        with self._timed("explain"):
            self._explain(loaded)
        with self._timed("graph"):
            graph = draw(loaded, source.name)
            for module in (dot, mermaid):
                module.render(graph).encode()
            ET.fromstring(svg.render(graph))
            html.render(graph).encode()
            json.loads(graph_json.render(graph))
            tree.render(graph, is_colored=True)
            tree.render(graph, is_plain=True).encode("ascii", "backslashreplace")
        with self._timed("test"):
            self._test(source)
        with self._timed("diff"):
            assert self._compare(loaded, loaded) in (None, True), "differs from itself"
            if self._last is not None:
                self._compare(self._last, loaded)
        self._last = loaded

    def _explain(self, loaded: Loaded) -> None:
        explainer = Explainer(loaded)
        assert loaded.config is not None
        for logger in ["root", "app.db", *loaded.config.loggers][:5]:
            for level in ("DEBUG", "ERROR"):
                spec = RecordSpec(logger=logger, level=level, message="declined", fields={"a": 1})
                told = explainer.explain(explainer.record(spec))
                "\n".join(narrate(told, is_colored=True)).encode("utf-8", "surrogatepass")
                for document in (check_explain(told, loaded),):
                    json.dumps(document)

    def _test(self, source: Source) -> None:
        suite = load_suite(source)
        verdicts, coverage = [], []
        if suite.explainer is not None:
            verdicts = [run_example(example, suite.explainer) for example in suite.examples]
            for verdict in verdicts:
                describe(verdict, is_colored=True)
            coverage = [measure(suite.config, suite.explainer, verdicts)]
        results = Results([suite], verdicts, 0, coverage, 0.0)
        verdicts_text.render(results, is_colored=True, is_verbose=True)
        json.loads(verdicts_json.render(results))
        ET.fromstring(verdicts_junit.render(results))

    def _compare(self, old: Loaded, new: Loaded) -> bool | None:
        sides = PartsOf(old), PartsOf(new)
        try:
            found = Difference(compare_routing(*sides), compare_parts(*sides))
        except TooLargeError:
            return None
        scale = Scale(sides[1].config.levels, sides[0].config.levels)
        json.loads(render_json(found, scale, "old", "new"))
        render_text(found, scale, is_colored=True).encode()
        return found.is_same


def check_explain(told: Any, loaded: Loaded) -> Any:
    """Return the JSON report of `logroute explain`."""
    from logroute.cli.explain import _document

    return _document(told, None, loaded.files[0], True)


def assert_inside(span: Span, texts: dict[str, list[str]], item: Diagnostic) -> None:
    """Assert that a place is in the text that it names."""
    assert span.line >= 1 and span.column >= 1, item
    assert span[1:3] <= span[3:5], item
    if span.file not in texts:
        source = read_path(span.file)[0] if os.path.isfile(span.file) else None
        texts[span.file] = split_lines(source.text) if source is not None else [""]
    lines = texts[span.file]
    if lines == [""]:  # nothing could be read
        return
    assert span.end_line <= len(lines), (len(lines), item)
    assert span.column <= len(lines[span.line - 1]) + 1, item
    assert span.end_column <= len(lines[span.end_line - 1]) + 1, item


def count_errors(loaded: Loaded) -> int:
    """Return how many findings are errors."""
    return sum(item.severity is Severity.ERROR for item in loaded.diagnostics)


def is_foreign(config: Config) -> bool:
    """Return whether a config names classes, which building would import."""
    sinks = [handler.sink for handler in config.handlers.values()]
    parts: Sequence[Any] = [*sinks, *config.formatters.values(), *config.filters.values()]
    return config.incremental or any(isinstance(part, Foreign) for part in parts)


def build_fault(loaded: Loaded) -> ConfigError | None:
    """Build a config as `configure` would, start nothing; return what it refuses."""
    tables = logging._levelToName, logging._nameToLevel
    former = [dict(table) for table in tables]
    try:
        built = building.build(loaded.config, loaded.node)
        built.runtime.shutdown(timeout=0)
    except ConfigError as fault:
        return fault
    finally:
        for table, before in zip(tables, former, strict=True):
            table.clear()
            table.update(before)
    return None
