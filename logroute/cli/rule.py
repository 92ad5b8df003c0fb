"""`logroute rule`: the manual page of a rule, by its code, its name or its area."""

import argparse
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from logroute.cli.checks.select import UsageError, codes_of
from logroute.cli.files import wants_color
from logroute.config.rules.catalogue import catalogue
from logroute.config.rules.fixable import SAFE, UNSAFE
from logroute.config.rules.rule import Rule
from logroute.diagnostics import Severity
from logroute.light import Literal, NamedTuple

__all__ = ["AREAS", "add_arguments", "blocks", "fix_of", "index", "markdown", "run"]

#: By the first digit of a code.
AREAS: Mapping[str, str] = {
    "0": "Reading",
    "1": "Shape",
    "2": "Names",
    "3": "Levels and routes",
    "4": "Formats and patterns",
    "5": "Files",
    "6": "Network and environment",
    "7": "Secrets and TLS",
    "8": "Queues and delivery",
    "9": "The standard library, frameworks and habits",
}

_WIDEST = 88
_CODE = re.compile(r"`[^`]{1,40}`")
_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}
_FIX_WORDS = {
    "safe": "`check --fix` corrects it where it is certain",
    "unsafe": "`check --fix --unsafe-fixes` corrects it where it is certain",
    None: "not corrected automatically",
}


class Block(NamedTuple):
    """A paragraph of a page, or an example."""

    text: str
    is_example: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "rules",
        nargs="*",
        metavar="RULE",
        help="a code such as LR302, a name such as unreachable-route, or the start of a code",
    )
    parser.add_argument("--all", action="store_true", help="the pages of all rules")
    parser.add_argument("--format", choices=["text", "json", "markdown"], default="text")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")


def run(options: argparse.Namespace) -> int:
    """Print pages; without a rule to look for, the list of all rules."""
    known = catalogue()
    wanted, faults = (list(known), []) if options.all else _wanted(options.rules, known)
    for fault in faults:
        print(f"logroute rule: {fault}", file=sys.stderr)
    is_list = not options.rules and not options.all
    rules = [known[code] for code in (known if is_list else wanted)]
    if options.format == "json":
        print(json.dumps([_data(rule) for rule in rules], indent=2, ensure_ascii=False))
    elif options.format == "markdown":
        sys.stdout.write(index(rules) if is_list else "\n".join(markdown(rule) for rule in rules))
    else:
        is_colored = wants_color(options.color)
        sys.stdout.write(_list(rules) if is_list else _pages(rules, is_colored=is_colored))
    return 2 if faults else 0


def _wanted(words: Iterable[str], known: Mapping[str, Rule]) -> tuple[list[str], list[str]]:
    """Return the codes that words stand for, each once, and what is wrong with the others."""
    codes: dict[str, None] = {}
    faults = []
    for word in words:
        try:
            codes |= dict.fromkeys(sorted(code for code in codes_of(word) if code in known))
        except UsageError as fault:
            faults.append(str(fault))
    return list(codes), faults


def summary(rule: Rule) -> str:
    """Return what a rule finds, in one sentence."""
    first = " ".join(rule.page.split("\n\n")[0].split())
    text = first.removeprefix("Find ").replace(f" ({rule.code})", "")
    word = text.split(" ")[0]
    return text[:1].upper() + text[1:] if word.islower() else text  # not `dictConfig`


def url(rule: Rule) -> str:
    """Return where the page of a rule is in the repository."""
    return f"docs/rules/{rule.code}.md"


def fix_of(rule: Rule) -> Literal["safe", "unsafe"] | None:
    """Return what kind of fix the findings of a rule may have."""
    if rule.code in SAFE:
        return "safe"
    return "unsafe" if rule.code in UNSAFE else None


def _data(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity.value,
        "summary": summary(rule),
        "page": rule.page,
        "fixable": fix_of(rule) is not None,
        "fix": fix_of(rule),
        "url": url(rule),
    }


def blocks(page: str) -> list[Block]:
    """Return the paragraphs and examples of a page; an example follows ``::`` indented."""
    found: list[Block] = []
    for part in page.split("\n\n"):
        is_example = part.startswith("    ")
        if is_example and found and found[-1].is_example:  # a blank line in an example
            joined = f"{found[-1].text}\n\n{textwrap.dedent(part)}"
            found[-1] = Block(joined, is_example=True)
        elif is_example:
            found.append(Block(textwrap.dedent(part).rstrip(), is_example=True))
        elif part.strip():
            found.append(Block(part.strip()))
    return found


# -- text ------------------------------------------------------------------------------


def _pages(rules: Sequence[Rule], *, is_colored: bool) -> str:
    width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns - 1)
    return "\n".join(_page(rule, max(40, width), is_colored=is_colored) for rule in rules)


def _page(rule: Rule, width: int, *, is_colored: bool) -> str:
    def paint(text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if is_colored else text

    severity = paint(rule.severity.value, _COLORS[rule.severity])
    lines = [f"{paint(f'{rule.code} {rule.name}', '1')}  {severity}"]
    for block in _body(rule):
        if block.is_example:
            lines += ["", *(f"    {line}".rstrip() for line in block.text.splitlines())]
        else:
            lines += ["", *_wrapped(block.text, width)]
    lines += ["", *_wrapped(f"Fix: {_FIX_WORDS[fix_of(rule)]}.", width)]
    return "\n".join(lines) + "\n"


def _body(rule: Rule) -> list[Block]:
    """Return the page, its first sentence without the code and examples without ``::``."""
    first, *rest = blocks(rule.page)
    first = Block(summary(rule) + (":" if first.text.endswith("::") else ""))
    return [first, *(b if b.is_example else Block(_unmarked(b.text)) for b in rest)]


def _unmarked(text: str) -> str:
    """Return a paragraph with a plain colon for the ``::`` before an example."""
    return text.removesuffix(":") if text.endswith("::") else text


def _wrapped(text: str, width: int) -> list[str]:
    """Return a paragraph, or a list, in lines; what is in backticks stays together."""
    items = text.split("\n- ") if text.startswith("- ") else [text]
    lines = []
    for item in items:
        mark = "- " if text.startswith("- ") else ""
        words = " ".join(item.removeprefix("- ").split())
        whole = _CODE.sub(lambda found: found[0].replace(" ", "\0"), words)
        wrapped = textwrap.wrap(
            mark + whole,
            width,
            subsequent_indent=" " * len(mark),
            break_on_hyphens=False,
            break_long_words=False,
        )
        lines += [line.replace("\0", " ") for line in wrapped]
    return lines


def _list(rules: Sequence[Rule]) -> str:
    """Return a line for each rule, by area."""
    lines = []
    for digit, title in AREAS.items():
        mine = [rule for rule in rules if rule.code[2] == digit]
        if mine:
            lines += ["", title]
        for rule in mine:
            mark = {"safe": "fix", "unsafe": "(fix)", None: ""}[fix_of(rule)]
            line = f"  {rule.code} {rule.name:<26} {rule.severity.value:<8}{mark:<6}{summary(rule)}"
            lines.append(line.rstrip())
    note = "fix: corrected by `check --fix`; (fix): with `--unsafe-fixes`"
    return "\n".join([*lines[1:], "", f"`logroute rule CODE` prints a page; {note}"]) + "\n"


# -- markdown --------------------------------------------------------------------------


def markdown(rule: Rule, example: str = "") -> str:
    """Return the page of a rule for `docs/rules/`; `example` goes to its end."""
    lines = [f"# {rule.code} `{rule.name}`", "", f"*{rule.severity.value}* · {_fix_note(rule)}", ""]
    for block in _body(rule):
        fence = ("```yaml", "```") if block.is_example else ()
        lines += [*fence[:1], block.text, *fence[1:], ""]
    return "\n".join(lines) + example


def _fix_note(rule: Rule) -> str:
    return _FIX_WORDS[fix_of(rule)]


def index(rules: Iterable[Rule]) -> str:
    """Return the table of all rules, by area."""
    found = list(rules)
    lines = [
        "# Rules",
        "",
        "What `logroute check` looks for. An *error* keeps a config from being used, a *warning*",
        "says that it works but hardly as meant, and an *info* is a remark that `--verbose` shows.",
        "`logroute rule LR302` prints a page in the terminal.",
        "",
        "Fix: **yes** is corrected by `logroute check --fix` where that is certain, *unsafe* with",
        "`--unsafe-fixes` only, since it may change where records go or how they look.",
    ]
    for digit, title in AREAS.items():
        mine = [rule for rule in found if rule.code[2] == digit]
        if mine:
            lines += ["", f"## {title}", "", "| code | name | severity | fix | finds |"]
            lines.append("| --- | --- | --- | --- | --- |")
        lines += [_row(rule) for rule in mine]
    return "\n".join(lines) + "\n"


def _row(rule: Rule) -> str:
    mark = {"safe": "**yes**", "unsafe": "*unsafe*", None: ""}[fix_of(rule)]
    text = summary(rule).replace("|", "\\|")
    link = f"[{rule.code}]({rule.code}.md)"
    return f"| {link} | {rule.name} | {rule.severity.value} | {mark} | {text} |"
