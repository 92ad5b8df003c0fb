"""Rules: what a config means, checked; one generator of diagnostics each.

A rule's docstring is its manual page: what it finds, why that is wrong, an
example and its cure. Rules look at what could be decoded, also where other
parts are broken, and say nothing about what a broken part may have meant. They
import nothing that a file names. Run in whatever thread loads a config.
"""

from collections.abc import Callable, Iterator

from logroute.config.decode import Decoded, read
from logroute.config.model import Config
from logroute.config.nodes import Node
from logroute.config.rules import credentials, formats, habits, levels, names, routes
from logroute.config.rules.facts import Facts
from logroute.diagnostics import Diagnostic

__all__ = ["RULES", "check_rules"]

#: Every rule, in the order of its code.
RULES: tuple[Callable[[Facts], Iterator[Diagnostic]], ...] = (
    credentials.conflicting_credentials,
    habits.not_yet_available,
    names.undefined_names,
    names.unused_definitions,
    levels.unknown_levels,
    routes.unreachable_routes,
    levels.empty_ranges,
    formats.bad_patterns,
    formats.bad_replacements,
    formats.bad_formats,
    credentials.other_variables,
    credentials.credentials_in_clear,
    habits.unknown_stdlib_keys,
    habits.truthy_text,
)


def check_rules(
    config: Config, node: Node, found: Decoded | None = None, *, is_complete: bool = True
) -> list[Diagnostic]:
    """Return what the rules find in a decoded config.

    Args:
        config: what could be decoded.
        node: the expanded tree it came from.
        found: what decoding found besides; None: decode again.
        is_complete: whether all included files were read; if not, names that are
            not defined may be defined there.
    """
    facts = Facts(config, node, found or read(node), is_complete=is_complete)
    return [diagnostic for rule in RULES for diagnostic in rule(facts)]
