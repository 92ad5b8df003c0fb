"""The delivery options of a handler, as written in a file."""

from logroute.light import Annotated, Literal
from logroute.options import Duration, Opt, Size, Spec

__all__ = [
    "LOCAL_RETRY",
    "BatchSpec",
    "BreakerSpec",
    "DeadLetterSpec",
    "QueueSpec",
    "RetrySpec",
    "SpoolSpec",
]


class QueueSpec(Spec):
    """The bounded hand-over to one handler's worker."""

    mode: Annotated[
        Literal["thread", "sync"],
        Opt("`thread`: a worker delivers; `sync`: the caller does, for scripts and debuggers."),
    ] = "thread"
    max_records: Annotated[int, Opt("Most records that may wait.", minimum=1)] = 10_000
    max_bytes: Annotated[Size, Opt("Most bytes that may wait.")] = 16 << 20
    overflow: Annotated[
        Literal["shed", "block", "drop_newest", "drop_oldest", "spool"] | None,
        Opt(
            "What a full queue does. `shed`: from 80 % full drop below WARNING, when full drop; "
            "`block`: the caller waits, at most `block_for`. "
            "Default: `shed` on a network, `block` for console and file."
        ),
    ] = None
    block_for: Annotated[
        Duration, Opt("Longest wait of a caller, once until the handler moves again.")
    ] = 1.0

    @classmethod
    def joined(cls, of_all: "QueueSpec | None", own: "QueueSpec | None") -> "QueueSpec":
        """Return a handler's options, each from itself, from the whole file or by default."""
        return cls(**{**(of_all.__dict__ if of_all else {}), **(own.__dict__ if own else {})})


class BatchSpec(Spec):
    """How many records go out together."""

    max_records: Annotated[
        int, Opt("Most records of one batch; a stream may be given several at once.", minimum=1)
    ] = 500
    max_bytes: Annotated[Size, Opt("Most bytes of one batch.")] = 1 << 20
    max_wait: Annotated[
        Duration | None,
        Opt("Longest wait for a batch to fill. Default: 1 s; mail 60 s."),
    ] = None


class RetrySpec(Spec):
    """When a failed delivery is tried again, and when given up."""

    initial: Annotated[Duration, Opt("First wait; the real one is a random part of it.")] = 1.0
    factor: Annotated[float, Opt("Growth of the wait at each failure.", minimum=1)] = 2.0
    max: Annotated[Duration, Opt("Longest wait between two attempts.")] = 30.0
    give_up_after: Annotated[
        Duration, Opt("A batch that fails this long is dropped and counted.")
    ] = 300.0


#: How a local handler tries again: as long as its queue holds what comes meanwhile.
#: That is what bounds it, since a batch that is given up makes no room that a full
#: disk would not take at once; and it finds the disk in order within two seconds.
LOCAL_RETRY = RetrySpec(initial=0.05, max=2.0, give_up_after=float("inf"))


class BreakerSpec(Spec):
    """Stops trying a destination that keeps failing."""

    failures: Annotated[int, Opt("Failures in a row that open the breaker.", minimum=1)] = 5
    probe_after: Annotated[Duration, Opt("First probe after opening.")] = 1.0
    max_probe_after: Annotated[Duration, Opt("Longest time between probes.")] = 60.0


class SpoolSpec(Spec):
    """A queue on disk that survives restarts."""

    path: Annotated[str, Opt("Directory of the spool's segments.")]
    max_bytes: Annotated[Size, Opt("Most bytes on disk.")] = 1 << 30
    write: Annotated[
        Literal["worker", "caller"], Opt("Who writes: `caller` survives kill -9 from the call on.")
    ] = "worker"
    sync: Annotated[Literal["none", "batch", "always"], Opt("When to force data to the disk.")] = (
        "none"
    )


class DeadLetterSpec(Spec):
    """A file of what a destination refused."""

    path: Annotated[str, Opt("JSON lines file of refused records.")]
    max_bytes: Annotated[Size, Opt("Most bytes kept.")] = 64 << 20
