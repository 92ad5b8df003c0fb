"""Rules: what a config means, checked; one generator of diagnostics each.

A rule's docstring is its manual page: what it finds, why that is wrong, an
example and its cure. Rules look at what could be decoded, also where other
parts are broken, and say nothing about what a broken part may have meant. They
import nothing that a file names. Run in whatever thread loads a config.

Two tables: `RULES` decide whether a config can be used, so every load runs them;
the rest is advice (`advice.py`), which only a check asks for. Whatever advice calls
an error is refused by building, too.
"""

from collections.abc import Callable, Sequence

from logroute.config.decode import Decoded, read
from logroute.config.model import Config
from logroute.config.nodes import Node
from logroute.config.rules import credentials, fallbacks, formats, habits, levels, names, sockets
from logroute.config.rules.rule import Rule
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic

__all__ = ["RULES", "check_rules"]

#: The rules of every load, in the order of their codes.
RULES: tuple[Rule, ...] = (
    credentials.conflicting_credentials,
    sockets.tls_without_name,
    habits.not_yet_available,
    names.undefined_names,
    formats.reserved_fields,
    levels.unknown_levels,
    levels.empty_ranges,
    formats.bad_patterns,
    formats.bad_formats,
    formats.bad_replacements,
    credentials.credentials_in_clear,
    fallbacks.overflows_without_spools,
)


def check_rules(
    config: Config,
    node: Node,
    found: Decoded | None = None,
    *,
    is_complete: bool = True,
    advise: bool = False,
    also: Sequence[Rule] = (),
    original: Node | None = None,
    on_fault: Callable[[Rule, Exception], None] | None = None,
) -> list[Diagnostic]:
    """Return what the rules find in a decoded config.

    Args:
        config: what could be decoded.
        node: the expanded tree it came from.
        found: what decoding found besides; None: decode again.
        is_complete: whether all included files were read; if not, names that are
            not defined may be defined there.
        advise: whether to run the rules of `advice.py`, too.
        also: further rules to run: those of `host.py` and `probes.py`.
        original: the tree before it was expanded, with `vars` and `profiles`.
        on_fault: is told of a rule that fails itself; the others go on. Default: raise.
    """
    rules: Sequence[Rule] = RULES
    if advise:
        from logroute.config.rules.advice import ADVICE  # a start does not need it

        rules = (*RULES, *ADVICE, *also)
    facts = Facts(config, node, found or read(node), is_complete=is_complete, original=original)
    diagnostics: list[Diagnostic] = []
    for rule in rules:
        try:
            diagnostics += rule(facts)
        except Exception as fault:
            if on_fault is None:
                raise
            on_fault(rule, fault)
    return diagnostics
