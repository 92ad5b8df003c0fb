"""The filters `add_fields`, `rename_fields` and `drop_fields`.

They change what `extra` and context gave a record, on a copy; the attributes
that every record has are out of their reach, since formatters count on them.
No state, so any thread may run them.
"""

import logging
from collections.abc import Iterable, Mapping

from logroute.filters import Filter, FilterSpec
from logroute.light import Annotated, Any
from logroute.options import Opt
from logroute.records import STANDARD

__all__ = ["AddFieldsSpec", "DropFieldsSpec", "RenameFieldsSpec", "copy_of"]


def copy_of(record: logging.LogRecord, **changes: Any) -> logging.LogRecord:
    """Return a copy of `record` with some attributes changed."""
    copy: logging.LogRecord = logging.LogRecord.__new__(type(record))
    copy.__dict__.update(record.__dict__)
    copy.__dict__.update(changes)
    return copy


class AddFieldsSpec(FilterSpec):
    """Add fixed fields to every record that does not have them."""

    fields: Annotated[Mapping[str, object], Opt("Names and values of the fields.")]

    def filter(self) -> Filter:
        """Return the live filter.

        Raises:
            ValueError: a name is one that every record has.
        """
        fields = dict(self.fields)
        _refuse_standard(fields)

        def add(record: logging.LogRecord) -> logging.LogRecord:
            copy = copy_of(record)
            copy.__dict__.update({**fields, **record.__dict__})
            return copy

        return add


class RenameFieldsSpec(FilterSpec):
    """Give fields other names."""

    fields: Annotated[Mapping[str, str], Opt("Old name: new name.")]

    def filter(self) -> Filter:
        """Return the live filter.

        Raises:
            ValueError: a name is one that every record has.
        """
        names = dict(self.fields)
        _refuse_standard([*names, *names.values()])

        def rename(record: logging.LogRecord) -> logging.LogRecord:
            if names.keys().isdisjoint(record.__dict__):
                return record
            copy = copy_of(record)
            values = copy.__dict__
            # all are taken before one is given, so that names can be exchanged
            values.update({new: values.pop(old) for old, new in names.items() if old in values})
            return copy

        return rename


class DropFieldsSpec(FilterSpec):
    """Leave fields out."""

    fields: Annotated[tuple[str, ...], Opt("Names of the fields.", single=True)]

    def filter(self) -> Filter:
        """Return the live filter.

        Raises:
            ValueError: a name is one that every record has.
        """
        names = frozenset(self.fields)
        _refuse_standard(names)

        def drop(record: logging.LogRecord) -> logging.LogRecord:
            if names.isdisjoint(record.__dict__):
                return record
            copy = copy_of(record)
            for name in names:
                copy.__dict__.pop(name, None)
            return copy

        return drop


def _refuse_standard(names: Iterable[str]) -> None:
    for name in names:
        if name in STANDARD:
            raise ValueError(f"`{name}` belongs to every record and cannot be changed by a filter")
