"""Filters: change a record or drop it.

A `FilterSpec` describes one in a file and makes the live filter: a callable
that takes a record and returns it, another one, or None to drop it. It works on
copies, never on a record that somebody else may see.
"""

import logging
from collections.abc import Callable

from logroute.kinds import KindTable
from logroute.light import ClassVar
from logroute.options import Spec

__all__ = ["KINDS", "Filter", "FilterSpec"]

Filter = Callable[[logging.LogRecord], logging.LogRecord | None]


class FilterSpec(Spec):
    """Describes a filter; subclasses add the options of their kind."""

    #: The machinery is not there yet; using the kind is an error.
    planned: ClassVar[bool] = False

    def filter(self) -> Filter:
        """Return the live filter."""
        raise NotImplementedError


KINDS: KindTable[FilterSpec] = KindTable(
    {
        "redact": "logroute.filters.redact:RedactSpec",
        "throttle": "logroute.filters.throttle:ThrottleSpec",
        "dedupe": "logroute.filters.dedupe:DedupeSpec",
        "sample": "logroute.filters.sample:SampleSpec",
        "add_fields": "logroute.filters.fields:AddFieldsSpec",
        "rename_fields": "logroute.filters.fields:RenameFieldsSpec",
        "drop_fields": "logroute.filters.fields:DropFieldsSpec",
    },
    "logroute.filters",
    FilterSpec,
)
