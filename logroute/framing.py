"""What formatters must know of a sink to make its payloads themselves. Plain values."""

from collections.abc import Callable, Mapping, Sequence

from logroute.light import Any, NamedTuple

__all__ = ["Framing", "Straight"]

#: Makes payloads of entries of the express lane, past their records: of the first ones of
#: some entries, up to one that goes another way, or whose record must be made. Called with
#: the entries (the first is of the lane), the ways of decisions, the way of these entries,
#: the name of its level, and what takes each payload. It raises no `Exception`.
Straight = Callable[
    [Sequence[Any], Mapping[Any, object], object, str, Callable[[bytes], object]], None
]


class Framing(NamedTuple):
    """How a text becomes a payload, where that is the text in UTF-8 and an end.

    Attributes:
        end: what follows the text.
        most: bytes of the longest text, which has no line breaks then; None: any text.
        is_json: it must be a JSON object.
    """

    end: str = "\n"
    most: int | None = None
    is_json: bool = False
