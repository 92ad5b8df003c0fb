"""The filters `add_fields`, `rename_fields` and `drop_fields`."""

import logging

import pytest

from logroute.filters.fields import AddFieldsSpec, DropFieldsSpec, RenameFieldsSpec, copy_of
from logroute.records import extras


class Special(logging.LogRecord):
    pass


def make(**values):
    record = Special("app.db", 20, "/srv/db.py", 7, "user %s", ("bob",), None)
    record.__dict__.update(values)
    return record


def run(spec, record):
    """Filter `record`, and see to it that the input stays as it was."""
    before = dict(record.__dict__)
    result = spec.filter()(record)
    assert record.__dict__ == before
    assert type(result) is Special
    return dict(extras(result))


def test_copies_keep_class_and_attributes():
    """A copy is of the same class and independent."""
    record = make(tenant="acme")
    copy = copy_of(record, tenant="other")
    assert type(copy) is Special
    assert (copy.getMessage(), copy.tenant, record.tenant) == ("user bob", "other", "acme")


def test_added_fields_never_replace():
    """A field that the record has stays; the others are added."""
    spec = AddFieldsSpec(fields={"service": "shop", "tenant": "none"})
    assert run(spec, make(tenant="acme")) == {"service": "shop", "tenant": "acme"}


def test_fields_get_other_names():
    """A field moves to its new name; one that is missing is no fault."""
    spec = RenameFieldsSpec(fields={"user": "user.name", "nothing": "x"})
    assert run(spec, make(user="bob", n=1)) == {"n": 1, "user.name": "bob"}


def test_names_can_be_exchanged():
    """All old names are taken before a new one is given."""
    spec = RenameFieldsSpec(fields={"a": "b", "b": "a"})
    assert run(spec, make(a=1, b=2)) == {"a": 2, "b": 1}


def test_fields_are_dropped():
    """Named fields are left out."""
    assert run(DropFieldsSpec(fields=("a", "nothing")), make(a=1, b=2)) == {"b": 2}


@pytest.mark.parametrize(
    "spec", [RenameFieldsSpec(fields={"a": "b"}), DropFieldsSpec(fields=("a",))]
)
def test_untouched_record_is_not_copied(spec):
    """A record without the fields is passed on itself."""
    record = make(tenant="acme")
    assert spec.filter()(record) is record


@pytest.mark.parametrize(
    "spec",
    [
        AddFieldsSpec(fields={"levelname": "X"}),
        RenameFieldsSpec(fields={"name": "logger"}),
        RenameFieldsSpec(fields={"logger": "msg"}),
        DropFieldsSpec(fields=("exc_info",)),
    ],
)
def test_attributes_of_every_record_are_refused(spec):
    """What formatters count on cannot be renamed, dropped or replaced."""
    with pytest.raises(ValueError, match="belongs to every record"):
        spec.filter()
