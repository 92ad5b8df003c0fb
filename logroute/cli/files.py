"""What the commands share: files from the command line, and what was found in them."""

import os
import sys

from logroute.cli.report import FileReport
from logroute.config.load import Loaded, load
from logroute.config.source import MAX_BYTES, Source, from_bytes, read_path
from logroute.diagnostics import Diagnostic, Span, error

__all__ = ["load_one", "wants_color"]


def load_one(name: str, profile: str | None) -> tuple[Loaded, FileReport]:
    """Load the file `name`, or standard input for ``-``, and report on it."""
    source, found = _read_stdin() if name == "-" else read_path(name)
    if source is None:
        loaded = Loaded(None, tuple(found), None, None)
    else:
        loaded = load(source, profile=profile, read_secrets=False, advise=True)
    report = FileReport(
        name="<stdin>" if name == "-" else name,
        diagnostics=loaded.diagnostics,
        texts=_texts(loaded),
        summary=_summarize(loaded),
        is_complete=not any(item.code == "LR001" for item in loaded.diagnostics),
    )
    return loaded, report


def _read_stdin() -> tuple[Source | None, list[Diagnostic]]:
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        message = f"standard input is larger than {MAX_BYTES // 1024} KiB"
        return None, [error("LR004", message, Span("<stdin>", 1, 1, 1, 1))]
    return from_bytes(data, "<stdin>")


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


def wants_color(choice: str) -> bool:
    """Return whether to paint: the option beats NO_COLOR beats FORCE_COLOR beats the terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
