"""`logroute check --fix`, `--diff` and `--unsafe-fixes`: cures made by themselves.

Only files that were named, or lie in a directory that was, are changed, never what
they include. What is done to a text is in `rounds.py`.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from logroute.cli.checks.find import Found
from logroute.cli.checks.select import UsageError
from logroute.cli.files import Way, report_on, wants_color
from logroute.cli.report import Report
from logroute.config.load import Loaded
from logroute.config.source import MAX_BYTES, Source, Syntax, from_bytes, read_path
from logroute.diagnostics import Diagnostic
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.cli.fixes.rounds import Fixed, Task

__all__ = ["add_arguments", "check_arguments", "fix_files", "fix_stdin", "run", "show_diff"]

_SYNTAXES: Mapping[str, Syntax] = {".json": "json", ".toml": "toml"}
_BOM = b"\xef\xbb\xbf"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `logroute check` that are about fixes."""
    group = parser.add_argument_group("fixes")
    group.add_argument("--fix", action="store_true", help="correct what is certain, in the files")
    group.add_argument(
        "--diff", action="store_true", help="show what --fix would do, and write nothing"
    )
    group.add_argument(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix or --diff: also what may change where records go",
    )


def check_arguments(options: argparse.Namespace) -> None:
    """See to it that the arguments go together.

    Raises:
        UsageError: they do not.
    """
    if options.unsafe_fixes and not (options.fix or options.diff):
        raise UsageError("--unsafe-fixes goes with --fix or --diff")
    if options.watch and (options.fix or options.diff):
        raise UsageError("--watch does not go with --fix or --diff")
    if options.fix and "-" in options.paths and len(options.paths) > 1:
        raise UsageError("--fix takes standard input alone, since it writes it to standard output")


def run(options: argparse.Namespace, way: Way, found: Found) -> tuple[int, bool]:
    """Fix what was found, or show how; return an exit code, and whether the check goes on."""
    from logroute.cli.fixes.rounds import Task  # a check without fixes does without

    def load(source: Source, profile: str | None, *, advise: bool = True) -> Loaded:
        # the check tells of a rule that fails
        return way.load(source, profile, lambda *_: None, advise=advise)

    def select(source: Source, loaded: Loaded) -> Sequence[Diagnostic]:
        return report_on(source, loaded, way).diagnostics

    profile = None if way.has_all_profiles else way.profiles[0]
    task = Task(load, select, profile, options.unsafe_fixes)
    names = _without_included(found, task) if found.from_directories else found.names
    if options.diff:
        is_colored = wants_color(options.color)
        is_any = show_diff(names, task, stdin_name=way.stdin_name, is_colored=is_colored)
        is_read = all(name == "-" or _read(name) for name in names) and not found.faults
        return (int(is_any and not options.exit_zero) if is_read and names else 2), not is_read
    if list(names) == ["-"]:
        fixed = fix_stdin(task, way.stdin_name)
        if fixed is None:
            return 2, False
        from logroute.cli.report.text import render

        report = Report([report_on(fixed.source, fixed.loaded, way)], options.strict)
        sys.stderr.write(render(report))
        return 0 if options.exit_zero and report.exit_code == 1 else report.exit_code, False
    return (0 if fix_files(names, task) else 2), True


def _without_included(found: Found, task: "Task") -> list[str]:
    """Return the files without those of directories that another one includes."""
    included: set[str] = set()
    for name in found.names:
        read = _read(name)
        if read is not None:
            files = task.load(read[1], task.profile).files
            included |= {os.path.realpath(file) for file in files[1:]}
    included &= set(found.from_directories)
    return [name for name in found.names if os.path.realpath(name) not in included]


# -- files -----------------------------------------------------------------------------


def fix_files(names: Iterable[str], task: "Task") -> bool:
    """Fix files in place, and tell on standard error; return whether all could be written."""
    from logroute.cli.fixes.overwrite import CannotWriteError, overwrite
    from logroute.cli.fixes.rounds import fix_source

    is_good, is_told = True, False
    for name in names:
        read = _read(name)
        if read is None:
            continue  # the check says why
        before, source = read
        fixed = fix_source(source, task)
        if fixed.cured:
            bom = _BOM if before.startswith(_BOM) else b""
            try:
                overwrite(name, before, bom + fixed.source.text.encode())
            except CannotWriteError as fault:
                is_good = False
                _tell(f"logroute check: cannot write {name}: {fault}")
                continue
        is_told |= _tell(told(fixed, "fixed"))
    if is_good and not is_told:
        _tell("nothing to fix")
    return is_good


def show_diff(
    names: Iterable[str], task: "Task", *, stdin_name: str = "<stdin>", is_colored: bool = False
) -> bool:
    """Print what `fix_files` would change; return whether there is anything.

    ``-`` is standard input.
    """
    from logroute.cli.fixes.patch import make_patch
    from logroute.cli.fixes.rounds import fix_source

    is_any = is_veiled = False
    for name in names:
        read = _read_stdin(stdin_name) if name == "-" else _read(name)
        source = read[1] if read is not None else None
        if source is None:
            continue
        fixed = fix_source(source, task)
        if fixed.cured:
            patch = make_patch(source, fixed.source, task.load(source, task.profile), fixed.loaded)
            is_any, is_veiled = True, is_veiled or patch.is_veiled
            for line in patch.lines:
                print(_painted(line) if is_colored else line)
        _tell(told(fixed, "would fix"))
    if is_veiled:
        _tell("secrets show as ********: this diff is no patch; --fix keeps them")
    return is_any


def fix_stdin(task: "Task", name: str = "<stdin>") -> "Fixed | None":
    """Write standard input, fixed, to standard output; return what became of it.

    What cannot be read is passed on as it is; then None.
    """
    from logroute.cli.fixes.rounds import fix_source

    before, source = _read_stdin(name)
    fixed = None if source is None else fix_source(source, task)
    after = before
    if fixed is not None and fixed.cured:
        after = (_BOM if before.startswith(_BOM) else b"") + fixed.source.text.encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(after)
    sys.stdout.buffer.flush()
    if fixed is not None:
        _tell(told(fixed, "fixed"))
    return fixed


def _read(name: str) -> tuple[bytes, Source] | None:
    source, _ = read_path(name)
    if source is None:
        return None
    try:
        with open(name, "rb") as file:
            before = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    return (before, source) if before.removeprefix(_BOM) == source.text.encode() else None


def _read_stdin(name: str) -> tuple[bytes, Source | None]:
    data = sys.stdin.buffer.read()
    if len(data) > MAX_BYTES:
        return data, None
    suffix = os.path.splitext(name)[1].lower()
    path = os.path.abspath(name) if suffix else None
    return data, from_bytes(data, name, _SYNTAXES.get(suffix, "yaml"), path)[0]


def told(fixed: "Fixed", verb: str) -> str:
    """Return what was done to one file in a line; empty where there is nothing to tell."""
    others = []
    more = " more" if fixed.cured else ""
    if fixed.unsafe:
        others.append(f"{fixed.unsafe}{more} with --unsafe-fixes")
    if fixed.elsewhere:
        others.append(f"{fixed.elsewhere}{more} in included files, which are fixed by themselves")
    if not fixed.cured and not others:
        return ""
    count = f"{fixed.cured or 'no'} problem{'' if fixed.cured == 1 else 's'}"
    return "; ".join([f"{verb} {count} in {fixed.source.name}", *others])


def _tell(line: str) -> bool:
    if line:
        print(line, file=sys.stderr)
    return bool(line)


def _painted(line: str) -> str:
    color = {"-": "31", "+": "32", "@": "36"}.get(line[:1])
    return f"\x1b[{color}m{line}\x1b[0m" if color else line
