"""What leaves the caller's thread says what the caller said, whatever its class."""

import logging
from enum import StrEnum

from logroute.records import copy_of, freeze


class Text(StrEnum):
    HELLO = "hello %s"


class Lazy:
    def __str__(self):
        return "lazy %s"


class BraceRecord(logging.LogRecord):
    def getMessage(self):
        return self.msg.format(*self.args)


class OwnMessage(logging.LogRecord):
    @property
    def msg(self):
        return self._kept

    @msg.setter
    def msg(self, value):
        self._kept = value


class Slotted(logging.LogRecord):
    __slots__ = ("request",)


def make(cls, msg, *args):
    return cls("app", 20, "/x.py", 1, msg, args, None)


def test_text_subclass_is_formatted_once():
    """A message that is a subclass of str, or lazy, takes its arguments once."""
    assert freeze(make(logging.LogRecord, Text.HELLO, "bob")).getMessage() == "hello bob"
    assert freeze(make(logging.LogRecord, Lazy(), "bob")).getMessage() == "lazy bob"


def test_own_get_message_is_asked_once():
    """A record class that formats in its own way is asked for its message once."""
    frozen = freeze(make(BraceRecord, "{} {{}}", [1]))
    assert frozen.getMessage() == "[1] {}"
    assert isinstance(frozen, BraceRecord)
    assert freeze(make(BraceRecord, "{} {}", 1, "a")).getMessage() == "1 a"


def test_property_for_message_is_no_trap():
    """A record class with a property for its message keeps the rendered one."""
    values = [1]
    frozen = freeze(make(OwnMessage, "%s", values))
    values.append(2)
    assert frozen.getMessage() == "[1]"


def test_slots_are_copied():
    """What a record class keeps in slots is in the copy."""
    record = make(Slotted, "x")
    record.request = "r1"
    assert freeze(record).request == copy_of(record).request == "r1"
    assert not hasattr(freeze(make(Slotted, "x")), "request")


def test_lists_in_tuples_are_frozen():
    """A tuple of extra that holds a list is copied with it."""
    record = make(logging.LogRecord, "x")
    record.pair = ([1], "a")
    frozen = freeze(record)
    record.pair[0].append(2)
    assert frozen.pair == ([1], "a")
