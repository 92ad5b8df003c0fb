"""What a check finds: severity, code, message, place and cure.

Every code is listed once, in `NAMES`; hundreds are areas (0 reading, 1 shape,
2 names, 3 levels and routes, 4 formats and patterns, 5 files, 6 network and
environment, 7 secrets and TLS, 8 queues and delivery, 9 habits).
"""

import enum
from typing import NamedTuple

__all__ = ["NAMES", "Diagnostic", "Severity", "Span"]

NAMES = {
    "LR001": "cannot-read",
    "LR002": "not-utf8",
    "LR003": "empty-config",
    "LR004": "limit-exceeded",
    "LR005": "syntax",
    "LR006": "duplicate-key",
    "LR007": "tag",
    "LR008": "multi-document",
    "LR009": "alias-misuse",
    "LR010": "ambiguous-scalar",
    "LR101": "unknown-key",
    "LR102": "missing-key",
    "LR103": "wrong-type",
    "LR104": "out-of-range",
    "LR105": "unknown-kind",
    "LR106": "bad-choice",
    "LR107": "version-unsupported",
    "LR108": "conflicting-keys",
    "LR190": "not-yet-available",
    "LR201": "undefined-name",
    "LR202": "unused-definition",
    "LR203": "undefined-variable",
    "LR204": "include-cycle",
    "LR205": "undefined-profile",
    "LR301": "unknown-level",
    "LR302": "unreachable-route",
    "LR303": "bad-level-range",
    "LR403": "bad-regex",
    "LR405": "bad-format",
    "LR611": "not-a-variable",
    "LR704": "credentials-without-tls",
    "LR901": "unknown-stdlib-key",
    "LR902": "truthy-text",
    "LR903": "cannot-build",
    "LR904": "import-refused",
}


class Severity(enum.Enum):
    """How much a finding matters; errors keep a config from being used."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Span(NamedTuple):
    """A place in a source; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        """Return ``file:line:column``, as editors read it."""
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One finding.

    `related` holds further places with a label each, such as the first of two
    equal keys. Messages never contain a secret.
    """

    severity: Severity
    code: str
    message: str
    span: Span
    help: str | None = None
    related: tuple[tuple[str, Span], ...] = ()

    @property
    def name(self) -> str:
        """The stable kebab-case name of the code."""
        return NAMES[self.code]

    def __str__(self) -> str:
        """Return the finding on one line, with its cure."""
        text = f"{self.span}: {self.severity.value}[{self.code}]: {self.message}"
        return f"{text}; {self.help}" if self.help else text


def error(code: str, message: str, span: Span, help: str | None = None) -> Diagnostic:
    """Return an error; it keeps the config from being used."""
    return Diagnostic(Severity.ERROR, code, message, span, help)


def warning(code: str, message: str, span: Span, help: str | None = None) -> Diagnostic:
    """Return a warning; the config works, but hardly as meant."""
    return Diagnostic(Severity.WARNING, code, message, span, help)
