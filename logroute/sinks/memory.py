"""The `memory` kind: described, so that files may be checked; not built yet."""

from typing import Annotated, ClassVar

from logroute.options import HandlerName, Level, Opt
from logroute.sinks import SinkSpec

__all__ = ["MemorySpec"]


class MemorySpec(SinkSpec):
    """Keep the last records, and release them when something serious happens."""

    planned: ClassVar[bool] = True
    guarantee: ClassVar[str] = "at_most_once"

    capacity: Annotated[int, Opt("Most records kept; the oldest go.", minimum=1)] = 1000
    flush_level: Annotated[Level, Opt("A record of this level releases them all.")] = "ERROR"
    target: Annotated[HandlerName | None, Opt("Handler that gets the released records.")] = None
