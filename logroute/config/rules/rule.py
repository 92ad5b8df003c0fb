"""What a rule is: a generator of findings with a code, a severity and a manual page.

The page is the generator's docstring: what it finds (its code in brackets), why
that is wrong, an example behind ``::``, and the cure. `logroute rule` prints it,
and `docs/rules/` is made of it.
"""

from collections.abc import Callable, Iterator

from logroute.diagnostics import NAMES, Diagnostic, Severity
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.config.views.facts import Facts

__all__ = ["Rule", "rule"]

Find = Callable[["Facts"], Iterator[Diagnostic]]


class Rule:
    """One rule.

    Attributes:
        code: what its findings are called.
        severity: how much they matter; some are told softer in a plain dictConfig file.
        find: what looks for them; None: they come up while a file is read.
    """

    __slots__ = ("_page", "code", "find", "severity")

    def __init__(self, code: str, severity: Severity, page: str, find: Find | None = None) -> None:
        """Keep what is known of the rule."""
        self.code = code
        self.severity = severity
        self._page = page
        self.find = find

    @property
    def name(self) -> str:
        """The stable kebab-case name of the code."""
        return NAMES[self.code]

    @property
    def page(self) -> str:
        """The manual page, as plain text."""
        import inspect  # a start of an application does not need it

        return inspect.cleandoc(self._page)

    def __call__(self, facts: "Facts") -> Iterator[Diagnostic]:
        """Yield what is found in a config."""
        return iter(()) if self.find is None else self.find(facts)


def rule(code: str, severity: Severity) -> Callable[[Find], Rule]:
    """Make a rule of a generator; its docstring is the manual page."""

    def made(find: Find) -> Rule:
        return Rule(code, severity, find.__doc__ or "", find)

    return made
