"""What the commands share: files from the command line, and what was found in them."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from logroute.cli.checks.select import Selection
from logroute.cli.report import FileReport
from logroute.config.expand import PROFILE_VARIABLE
from logroute.config.findings import in_order
from logroute.config.guarantees import Guarantee, guarantees
from logroute.config.load import Loaded, load
from logroute.config.nodes import Node
from logroute.config.rules.rule import Rule
from logroute.config.source import MAX_BYTES, Source, from_bytes, read_path
from logroute.diagnostics import Diagnostic, Span, error
from logroute.light import NamedTuple

__all__ = ["STDIN", "Way", "check_file", "load_one", "read_one", "report_on", "wants_color"]

#: How a report calls standard input.
STDIN = "<stdin>"

# Found under one profile, it says nothing about the file: another may use the part.
_OF_ALL_PROFILES = frozenset({"LR202", "LR209"})


class Way(NamedTuple):
    """How files are checked.

    Attributes:
        selection: which findings are shown, and how they count.
        profiles: the profiles that are laid over a file in turn; None: none.
        has_all_profiles: all profiles of each file, and none, instead.
        environ: the environment variables.
        needs_environment: whether a variable that is not set is an error.
        stdin_name: what standard input is called.
        also: further rules: those that look at this host, or connect.
    """

    selection: Selection
    profiles: tuple[str | None, ...] = (None,)
    has_all_profiles: bool = False
    environ: Mapping[str, str] = os.environ
    needs_environment: bool = True
    stdin_name: str = STDIN
    also: Sequence[Rule] = ()

    def load(
        self,
        source: Source,
        profile: str | None = None,
        on_fault: Callable[[Rule, Exception], None] | None = None,
        *,
        advise: bool = True,
    ) -> Loaded:
        """Load a text this way, under one profile, with or without advice."""
        environ = self.environ
        if self.has_all_profiles and profile is None:
            environ = {k: v for k, v in environ.items() if k != "LOGROUTE_PROFILE"}
        return load(
            source,
            profile=profile,
            environ=environ,
            read_secrets=False,
            advise=advise,
            also=self.also,
            needs_environment=self.needs_environment,
            on_fault=on_fault,
        )


def load_one(name: str, profile: str | None) -> tuple[Loaded, FileReport]:
    """Load the file `name`, or standard input for ``-``, and report all that is found."""
    source, found = read_one(name)
    if source is None:
        loaded = Loaded(None, tuple(found), None, None)
    else:
        loaded = load(source, profile=profile, read_secrets=False, advise=True)
    return loaded, _report(STDIN if name == "-" else name, loaded, loaded.diagnostics)


def read_one(name: str, stdin_name: str = STDIN) -> tuple[Source | None, list[Diagnostic]]:
    """Read the file `name`, or standard input for ``-``."""
    if name != "-":
        return read_path(name)
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        message = f"standard input is larger than {MAX_BYTES // 1024} KiB"
        return None, [error("LR004", message, Span(stdin_name, 1, 1, 1, 1))]
    if stdin_name == STDIN:
        return from_bytes(data, stdin_name)
    suffix = os.path.splitext(stdin_name)[1].lower()
    syntax = {".json": "json", ".toml": "toml"}.get(suffix, "yaml")
    return from_bytes(data, stdin_name, syntax, os.path.abspath(stdin_name))  # type: ignore[arg-type]


def check_file(name: str, way: Way) -> FileReport:
    """Check one file; whatever happens in the check itself becomes a fault of the report."""
    shown = way.stdin_name if name == "-" else name
    faults: list[str] = []
    try:
        report = _check(name, shown, way, faults)
    except Exception as fault:
        faults.append(_told(fault, f"the check of {shown}"))
        report = FileReport(shown, (), {}, "", is_complete=False)
    return report._replace(faults=tuple(faults), is_complete=report.is_complete and not faults)


def _check(name: str, shown: str, way: Way, faults: list[str]) -> FileReport:
    source, found = read_one(name, way.stdin_name)
    if source is None:
        loaded = Loaded(None, tuple(found), None, None)
        return _selected(_report(shown, loaded, loaded.diagnostics), way)

    def on_fault(rule: Rule, fault: Exception) -> None:
        faults.append(_told(fault, f"rule {rule.code} ({rule.name}) on {shown}"))

    profiles: tuple[str | None, ...] = way.profiles
    known = _profiles_of(source) if way.has_all_profiles else ()
    if way.has_all_profiles:
        profiles = (None, *known)
    runs = [(profile, way.load(source, profile, on_fault)) for profile in profiles]
    loaded = runs[0][1]
    if len(runs) > 1:
        found = in_order(_merged(runs), source.name)
        files = dict.fromkeys(name for _, run in runs for name in run.files)
        is_good = all(run.config is not None for _, run in runs)
        loaded = loaded._replace(
            diagnostics=tuple(found),
            files=tuple(files),
            config=loaded.config if is_good else None,
        )
    report = _report(shown, loaded, loaded.diagnostics)
    if not way.has_all_profiles and way.profiles == (None,):
        report = report._replace(unchecked=_unchecked(source, loaded, way))
    return _selected(report, way, source, loaded)


def _unchecked(source: Source, loaded: Loaded, way: Way) -> tuple[str, ...]:
    """Return the profiles of a file that was checked without asking for one."""
    chosen = way.environ.get(PROFILE_VARIABLE)
    return tuple(name for name in _profiles_of(source, loaded.root) if name != chosen)


def _merged(runs: Sequence[tuple[str | None, Loaded]]) -> list[Diagnostic]:
    """Return what was found under several profiles; what only some show names them."""
    seen: dict[Diagnostic, list[str | None]] = {}
    for profile, loaded in runs:
        for item in dict.fromkeys(loaded.diagnostics):
            seen.setdefault(item, []).append(profile)
    merged = []
    for item, profiles in seen.items():
        if len(profiles) == len(runs):
            merged.append(item)
        elif item.code not in _OF_ALL_PROFILES:
            merged.append(item._replace(message=f"{item.message} ({_under(profiles)})"))
    return merged


def _under(profiles: Sequence[str | None]) -> str:
    names = [f"`{profile}`" for profile in profiles if profile is not None]
    parts = ["without a profile"] if None in profiles else []
    if names:
        parts.append(f"in profile{'s' if len(names) > 1 else ''} {', '.join(names)}")
    return " and ".join(parts)


def _profiles_of(source: Source, root: Node | None = None) -> tuple[str, ...]:
    """Return the names of the profiles of a file, whose tree may be known, and its includes."""
    from logroute.config.includes import include_files
    from logroute.config.parse import parse

    if root is None:
        root, _ = parse(source)
    if root is None or not isinstance(root.value, dict):
        return ()
    if "profiles" not in root.value and "include" not in root.value:
        return ()
    node = include_files(root, source, {}, []).at(("profiles",))
    return tuple(node.value) if node is not None and isinstance(node.value, dict) else ()


def _selected(
    report: FileReport, way: Way, source: Source | None = None, loaded: Loaded | None = None
) -> FileReport:
    """Return a report without what comments or options leave out."""
    items: Sequence[Diagnostic] = report.diagnostics
    ignored = 0
    is_parsed = loaded is not None and loaded.node is not None
    if is_parsed and any("logroute:" in text for text in report.texts.values()):
        assert source is not None and loaded is not None
        items, ignored = _without_ignored(report, way, source, loaded)
    shown, hidden = way.selection.apply(items)
    return report._replace(diagnostics=tuple(shown), hidden=hidden, ignored=ignored)


def _without_ignored(
    report: FileReport, way: Way, source: Source, loaded: Loaded
) -> tuple[Sequence[Diagnostic], int]:
    from logroute.cli.checks.suppress import suppress

    sources = [source]
    for name in report.texts:
        other = read_path(name)[0] if name != source.name else None
        if other is not None:
            sources.append(other)
    # what a comment is meant for may show under another profile only
    has_seen_all = way.has_all_profiles or not _profiles_of(source)
    left, ignored = suppress(
        report.diagnostics,
        sources,
        way.selection,
        main=source.name,
        tells_unused=report.is_complete and loaded.config is not None and has_seen_all,
        unasked=_unasked(way),
    )
    return in_order(left, source.name), ignored


def report_on(source: Source, loaded: Loaded, way: Way) -> FileReport:
    """Return what is shown of what a text was loaded as."""
    return _selected(_report(source.name, loaded, loaded.diagnostics), way, source, loaded)


def _unasked(way: Way) -> frozenset[str]:
    """Return the codes that only rules find which were not asked for."""
    from logroute.config.rules.host import HOST
    from logroute.config.rules.probes import PROBES

    asked = {rule.code for rule in way.also}
    return frozenset(rule.code for rule in (*HOST, *PROBES) if rule.code not in asked)


def _report(name: str, loaded: Loaded, items: Iterable[Diagnostic]) -> FileReport:
    source = loaded.source
    return FileReport(
        name=name,
        diagnostics=tuple(items),
        texts=_texts(loaded),
        summary=_summarize(loaded),
        is_complete=not any(item.code == "LR001" for item in items),
        files=loaded.files,
        handlers=_guarantees(loaded),
        trees={} if source is None or loaded.root is None else {source.name: loaded.root},
    )


def _guarantees(loaded: Loaded) -> tuple[Guarantee, ...]:
    if loaded.config is None or loaded.node is None:
        return ()
    return tuple(guarantees(loaded.config, loaded.node))


def _texts(loaded: Loaded) -> dict[str, str]:
    """Return the texts that the findings point into."""
    texts = {}
    if loaded.source is not None:
        texts[loaded.source.name] = loaded.source.text
    for item in loaded.diagnostics:
        for span in (item.span, *(span for _, span in item.related)):
            if span.file not in texts:
                source, _ = read_path(span.file) if os.path.isfile(span.file) else (None, [])
                texts[span.file] = source.text if source is not None else ""
    return texts


def _summarize(loaded: Loaded) -> str:
    config = loaded.config
    if config is None:
        return ""
    counts = [(len(config.handlers), "handler"), (len(config.routes or ()), "route")]
    counts.append((len(config.loggers), "logger"))
    return ", ".join(f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in counts if n)


def _told(fault: Exception, where: str) -> str:
    """Return what went wrong in the check itself, without its words: they may hold a secret."""
    if os.environ.get("LOGROUTE_DEBUG"):
        import traceback

        traceback.print_exception(fault)
    trace, place = fault.__traceback__, ""
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        inner = path.rpartition(f"{os.sep}logroute{os.sep}")[2]
        if inner != path:
            place = f" in logroute/{inner.replace(os.sep, '/')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"internal fault in {where}: {type(fault).__name__}{place}"


def wants_color(choice: str, is_terminal: bool | None = None) -> bool:
    """Return whether to paint: the option beats NO_COLOR beats FORCE_COLOR beats the terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(
        os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")
    ):
        return True
    if is_terminal is None:
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return is_terminal and os.environ.get("TERM") != "dumb"
