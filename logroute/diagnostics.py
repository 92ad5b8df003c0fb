"""What a check finds: severity, code, message, place and cure.

Every code is listed once, in `NAMES`; hundreds are areas (0 reading, 1 shape,
2 names, 3 levels and routes, 4 formats and patterns, 5 files, 6 network and
environment, 7 secrets and TLS, 8 queues and delivery, 9 habits).
"""

import enum

from logroute.light import Literal, NamedTuple

__all__ = ["NAMES", "Diagnostic", "Edit", "Fix", "Severity", "Span"]

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
    "LR011": "odd-character",
    "LR012": "comment-in-value",
    "LR098": "unused-suppression",
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
    "LR206": "repeated-name",
    "LR207": "case-only-difference",
    "LR208": "handler-cycle",
    "LR209": "unused-variable",
    "LR210": "reserved-field",
    "LR301": "unknown-level",
    "LR302": "unreachable-route",
    "LR303": "bad-level-range",
    "LR304": "level-never-passes",
    "LR305": "unrouted-level",
    "LR306": "repeated-record",
    "LR307": "odd-logger-pattern",
    "LR309": "duplicate-route",
    "LR310": "handler-below-logger",
    "LR311": "unnamed-level",
    "LR312": "feedback-loop",
    "LR313": "final-without-effect",
    "LR314": "propagate-on-root",
    "LR315": "root-as-logger",
    "LR316": "script-logger",
    "LR317": "silent-logger",
    "LR318": "always-true-condition",
    "LR319": "audit-without-proof",
    "LR401": "unknown-field",
    "LR402": "bad-date-format",
    "LR403": "bad-regex",
    "LR404": "slow-regex",
    "LR405": "bad-format",
    "LR406": "no-message",
    "LR408": "bad-replacement",
    "LR409": "lost-conversion",
    "LR410": "bare-message",
    "LR411": "field-of-other-style",
    "LR412": "unused-date-format",
    "LR501": "same-file",
    "LR502": "missing-directory",
    "LR503": "not-writable",
    "LR504": "rotation-never-rolls",
    "LR505": "device-as-file",
    "LR506": "unbounded-file",
    "LR507": "bad-schedule",
    "LR508": "unsafe-mode",
    "LR509": "relative-path",
    "LR510": "locale-encoding",
    "LR511": "directory-not-made",
    "LR512": "home-not-expanded",
    "LR513": "temporary-directory",
    "LR514": "little-space",
    "LR515": "long-socket-path",
    "LR602": "empty-default",
    "LR603": "odd-host",
    "LR604": "datagram-too-large",
    "LR605": "pickle-over-network",
    "LR606": "no-timeout",
    "LR607": "port-mismatch",
    "LR608": "any-address",
    "LR609": "odd-mail-address",
    "LR611": "not-a-variable",
    "LR612": "unresolved-host",
    "LR613": "unreachable-destination",
    "LR701": "secret-in-file",
    "LR702": "no-tls",
    "LR703": "unverified-tls",
    "LR704": "credentials-without-tls",
    "LR705": "readable-by-others",
    "LR706": "missing-tls-file",
    "LR707": "key-without-certificate",
    "LR708": "secret-in-url",
    "LR801": "blocking-handler",
    "LR802": "mail-per-record",
    "LR803": "batch-over-queue",
    "LR804": "short-shutdown",
    "LR805": "long-block",
    "LR806": "mail-of-low-level",
    "LR807": "backoff-inverted",
    "LR808": "filter-without-effect",
    "LR809": "buffer-without-target",
    "LR810": "levels-ignored-by-queue",
    "LR811": "fallback-to-same-place",
    "LR812": "fallback-beside-spool",
    "LR813": "overflow-without-spool",
    "LR814": "signal-with-two-meanings",
    "LR901": "unknown-stdlib-key",
    "LR902": "truthy-text",
    "LR903": "cannot-build",
    "LR904": "import-refused",
    "LR905": "unknown-argument",
    "LR906": "unknown-class",
    "LR907": "missing-argument",
    "LR908": "text-for-object",
    "LR909": "wrong-argument-type",
    "LR910": "class-of-filter",
    "LR911": "nested-config",
    "LR912": "disables-existing-loggers",
    "LR914": "misspelt-library-logger",
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


class Edit(NamedTuple):
    """One change of a text.

    Attributes:
        span: what is replaced; for ``add`` the mapping that gets a new entry.
        text: what takes its place; for ``add`` the entry, such as ``encoding: utf-8``.
        kind: ``replace`` the span itself, ``remove`` the whole entry or item that the
            span (key and value) stands for, with its comma or line, or ``add`` an entry.
    """

    span: Span
    text: str
    kind: Literal["replace", "remove", "add"] = "replace"


class Fix(NamedTuple):
    """What `check --fix` does about a finding; all edits together, or none.

    A safe fix cannot change where the records of a config that works go, nor how
    they look.
    """

    edits: tuple[Edit, ...]
    is_safe: bool = True


class Diagnostic(NamedTuple):
    """One finding.

    `related` holds further places with a label each, such as the first of two
    equal keys; `fix` does by itself what `help` says. Messages never contain a secret.
    """

    severity: Severity
    code: str
    message: str
    span: Span
    help: str | None = None
    related: tuple[tuple[str, Span], ...] = ()
    fix: Fix | None = None

    @property
    def name(self) -> str:
        """The stable kebab-case name of the code."""
        return NAMES[self.code]

    def __str__(self) -> str:
        """Return the finding on one line, with its cure."""
        text = f"{self.span}: {self.severity.value}[{self.code}]: {self.message}"
        return f"{text}; {self.help}" if self.help else text


def error(
    code: str, message: str, span: Span, help: str | None = None, fix: Fix | None = None
) -> Diagnostic:
    """Return an error; it keeps the config from being used."""
    return Diagnostic(Severity.ERROR, code, message, span, help, fix=fix)


def warning(
    code: str, message: str, span: Span, help: str | None = None, fix: Fix | None = None
) -> Diagnostic:
    """Return a warning; the config works, but hardly as meant."""
    return Diagnostic(Severity.WARNING, code, message, span, help, fix=fix)


def info(
    code: str, message: str, span: Span, help: str | None = None, fix: Fix | None = None
) -> Diagnostic:
    """Return a remark; shown only on request."""
    return Diagnostic(Severity.INFO, code, message, span, help, fix=fix)
