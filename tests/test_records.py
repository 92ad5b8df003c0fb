"""Records: frozen for another thread, read without harm."""

import logging
import sys
import threading

import pytest

from logroute.records import (
    bind,
    bound,
    exception_names,
    exception_text,
    extras,
    freeze,
    message_of,
    unbind,
)


def make(message="hello", args=(), **values):
    record = logging.LogRecord("app.db", 20, "/srv/db.py", 7, message, args, None)
    record.__dict__.update(values)
    return record


class Changing:
    text = "before"

    def __str__(self):
        return self.text


class Exploding:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def test_frozen_message_ignores_later_changes():
    """Arguments that can change are rendered at once."""
    value, items = Changing(), [1]
    frozen = freeze(make("%s %s", (value, items)))
    value.text = "after"
    items.append(2)
    assert frozen.getMessage() == "before [1]"


def test_plain_arguments_stay_as_they_are():
    """Arguments that nobody can change keep template and arguments apart."""
    frozen = freeze(make("%s %d", ("x", 1)))
    assert (frozen.msg, frozen.args) == ("%s %d", ("x", 1))


def test_a_mapping_as_argument_is_rendered():
    """The lone mapping of stdlib works and is frozen."""
    values = {"user": "bob"}
    frozen = freeze(make("%(user)s", (values,)))
    values["user"] = "eve"
    assert frozen.getMessage() == "bob"


def test_extras_ignore_later_changes():
    """Containers in extras are copied, at any depth."""
    order = {"tags": ["a"], "ids": {1}}
    frozen = freeze(make(order=order))
    order["tags"].append("b")
    order["ids"].add(2)
    assert frozen.order == {"tags": ["a"], "ids": {1}}


def test_freezing_leaves_the_original():
    """The application's record keeps its attributes and its class."""

    class Special(logging.LogRecord):
        pass

    record = Special("app", 20, "/x.py", 1, "%s", ([1],), None)
    before = dict(record.__dict__)
    assert type(freeze(record)) is Special
    assert record.__dict__ == before


def test_shared_and_cyclic_extras_are_copied_once():
    """A value that unfolds to 10**12 items, or holds itself, is copied item by item."""
    bomb: object = ["x"]
    for _ in range(6):
        bomb = [bomb] * 100
    cycle: dict[str, object] = {}
    cycle["self"] = cycle
    frozen = freeze(make(bomb=bomb, cycle=cycle))
    assert len(frozen.bomb) == 100
    assert frozen.bomb is not bomb
    assert frozen.cycle is not cycle


def test_deep_extras_end_somewhere():
    """A very deep extra is cut, not followed to the end of the stack."""
    deep: object = "bottom"
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(freeze(make(deep=deep)).deep, list)
    while isinstance(deep, list):  # piece by piece, else freeing it overflows the stack
        deep = deep.pop()


@pytest.mark.parametrize(
    ("message", "args"),
    [("%s", (Exploding(),)), ("%d %d", (1,)), (Exploding(), ()), ("%(x)s", ({"y": 1},)), (5, (1,))],
)
def test_unformattable_messages_are_kept(message, args):
    """A message that cannot be made is its template and the reason."""
    record = make(message, args)
    assert message_of(record).startswith("<unformattable: ")
    assert message_of(freeze(record)).startswith("<unformattable: ")


def test_bound_fields_travel_with_the_record():
    """Bound fields are extras of frozen records; the record's own come first."""
    token = bind(tenant="acme", user="bob")
    try:
        frozen = freeze(make(user="eve"))
        assert dict(extras(frozen)) == {"user": "eve", "tenant": "acme"}
    finally:
        unbind(token)
    assert dict(bound()) == {}


def test_bound_fields_belong_to_their_thread():
    """What one thread binds no other thread sees."""
    token = bind(tenant="acme")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(dict(bound())))
    thread.start()
    thread.join()
    unbind(token)
    assert seen == [{}]


def test_extras_are_what_stdlib_does_not_set():
    """Attributes of every record, private ones and odd keys are no extras."""
    record = make(tenant="acme", _private=1, message="m", asctime="t", taskName="x", **{"a b": 2})
    record.__dict__[5] = "odd"
    assert list(extras(record)) == [("tenant", "acme"), ("a b", 2)]


def test_exceptions_are_described():
    """The text is stdlib's, the names are those of the class and its bases."""
    try:
        raise KeyError("x")
    except KeyError:
        record = make(exc_info=sys.exc_info())
    assert exception_text(record) == logging.Formatter().formatException(record.exc_info)
    assert {"KeyError", "builtins.LookupError"} <= set(exception_names(record))


@pytest.mark.parametrize("exc_info", [None, (None, None, None)])
def test_records_without_exception_have_no_text(exc_info):
    """`exc_info=True` outside an except clause is no exception."""
    record = make(exc_info=exc_info)
    assert exception_text(record) is None
    assert exception_names(record) == []
