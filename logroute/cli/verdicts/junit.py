"""The results of `logroute test` as JUnit XML, for servers that show test results."""

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from logroute.app.examples import Verdict, describe
from logroute.app.suites import Suite
from logroute.cli.verdicts import Results

__all__ = ["render"]

# what XML 1.0 cannot hold
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(results: Results) -> str:
    """Return a document with a suite for each file."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    unusable = sum(bool(suite.diagnostics) for suite in results.suites)
    count = len(results.verdicts) + unusable
    lines.append(f'<testsuites{_counts(count, results.failed, unusable)} time="0">')
    for suite in results.suites:
        lines += _suite(suite, [v for v in results.verdicts if v.example.file == suite.file])
    lines.append("</testsuites>")
    return _NOT_XML.sub("\ufffd", "\n".join(lines)) + "\n"


def _counts(tests: int, failures: int, errors: int) -> str:
    return f' tests="{tests}" failures="{failures}" errors="{errors}"'


def _suite(suite: Suite, verdicts: list[Verdict]) -> Iterator[str]:
    name = quoteattr(suite.file)
    errors = int(bool(suite.diagnostics))
    failed = sum(not verdict.is_good for verdict in verdicts)
    counts = _counts(len(verdicts) + errors, failed, errors)
    yield f'  <testsuite name={name}{counts} skipped="0" time="0">'
    if suite.diagnostics:
        first = suite.diagnostics[0]
        text = escape("\n".join(str(item) for item in suite.diagnostics))
        yield f'    <testcase classname={name} name="the file can be used" time="0">'
        yield f"      <error message={quoteattr(first.message)} type={quoteattr(first.code)}>{text}"
        yield "      </error>"
        yield "    </testcase>"
    for verdict in verdicts:
        yield from _case(verdict, name)
    yield "  </testsuite>"


def _case(verdict: Verdict, suite: str) -> Iterator[str]:
    head = f'    <testcase classname={suite} name={quoteattr(verdict.example.name)} time="0"'
    if verdict.is_good:
        yield f"{head}/>"
        return
    first = verdict.failures[0]
    message = quoteattr(f"{first.place}: {first.message}")
    text = escape("\n".join(describe(verdict)))
    yield f"{head}>"
    yield f"      <failure message={message} type={quoteattr(first.key)}>{text}"
    yield "      </failure>"
    yield "    </testcase>"
