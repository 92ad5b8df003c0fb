"""A thread that owns something: works on it when rung, sleeps else, and ends in order.

Whoever puts work in front of it wakes it. Where no thread can start, the callers
work, one at a time.
"""

from collections.abc import Callable

from logroute import native
from logroute.bell import Bell, Latch
from logroute.delivery.queue import Queue
from logroute.engine.notices import inside
from logroute.light import TYPE_CHECKING

if TYPE_CHECKING:
    from logroute.delivery.spool.queue import SpoolQueue

__all__ = ["OwnThread"]


class OwnThread:
    """The thread of one worker, and how others wake, hurry, hold and end it.

    What there is to do, and what it owns, the worker says that derives from it.
    """

    def __init__(
        self,
        queue: "Queue | SpoolQueue",
        own_threads: set[int],
        clock: Callable[[], float],
        *,
        is_sync: bool,
    ) -> None:
        """Work on `queue`; nothing starts yet.

        Args:
            queue: what waits.
            own_threads: the idents of our threads, shared by the runtime.
            clock: monotonic seconds.
            is_sync: there is no thread; callers work.
        """
        self.queue = queue
        self.is_sync = is_sync
        #: Opens when the worker that had the same resource before has ended; until
        #: then records only queue up here.
        self.held: Latch | None = None
        #: How often something failed that must not.
        self.restarts = 0
        self.own_threads = own_threads
        self._clock = clock

    def _reset_thread(self) -> None:
        self.bell = Bell()
        self.is_running = False
        #: The thread is about to run; a signal may have stopped who starts it.
        self.is_starting = False
        #: The thread that works at this moment.
        self.busy_ident: int | None = None
        self._own_ident: int | None = None
        self._stop_at: float | None = None
        self._release: Latch | None = None
        self._ended = Latch()
        self._step_lock = native.RLock()
        self._is_hasty = False

    # -- what the worker says

    def _step(self) -> bool:
        """Do one piece of work; return whether there was one."""
        raise NotImplementedError

    def _rest_s(self) -> float | None:
        """Return how long there is nothing to do; 0: there is; None: until somebody rings."""
        raise NotImplementedError

    def _is_awaited(self) -> bool:
        """Return whether somebody waits for what is yet to be done."""
        raise NotImplementedError

    def _do_chores(self) -> float | None:
        """Do what is due beside the work; return the seconds to the next time."""
        raise NotImplementedError

    def note(self, fault: BaseException) -> None:
        """Keep and say what went wrong."""
        raise NotImplementedError

    def close_sink(self, timeout_s: float) -> None:
        """Close what it owns, unless somebody goes on using it."""
        raise NotImplementedError

    # -- from other threads

    def start(self) -> None:
        """Start the thread unless it runs.

        Raises:
            RuntimeError: no thread can start any more; call `drain` instead.
        """
        ended = Latch()  # an earlier thread may have died; made before the look, which
        if not self.is_running and not self.is_sync:  # no other thread may come behind
            self.is_starting = self.is_running = True
            self._ended = ended
            try:
                native.start_thread(self._run)
            except RuntimeError:
                self.is_running = False
                raise
            finally:
                self.is_starting = False

    def wake(self) -> None:
        """See to it that what waits is worked on; a stopped worker stays stopped."""
        if self.is_running:
            if self.bell.state:
                self.bell.ring()
        elif self._stop_at is None and not self.is_sync and self.held is None:
            try:
                self.start()
            except RuntimeError:  # no thread can start any more
                self.drain()

    def hold(self) -> None:
        """Let records only queue up until `let_go`."""
        self.held = Latch()

    def let_go(self) -> None:
        """Begin, as the worker before this one has ended."""
        held, self.held = self.held, None
        if held is not None:
            held.open()
            if self.queue.waiting:  # what comes from now on wakes it
                self.wake()

    def stop(self, deadline: float) -> None:
        """Ask the thread to end when the queue is empty, at the latest at `deadline`."""
        self._stop_at = deadline
        self.bell.ring()

    def hurry(self) -> None:
        """Look again at what waits, since somebody began to wait for it."""
        if self.queue.is_awaited:
            self.wake()
        self.bell.ring()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end after `stop`; return whether it did."""
        return not self.is_running or self._ended.wait(max(0.0, timeout_s))

    def release(self, timeout_s: float) -> None:
        """Have the sink closed by the thread that owns it; a later record opens it again."""
        if not self.is_running:
            self.close_sink(timeout_s)
            return
        self._release = released = Latch()
        self.bell.ring()
        released.wait(max(0.0, timeout_s))

    def step(self) -> bool:
        """Do one piece of work; return whether there was one."""
        with self._step_lock:  # where no thread could start, callers deliver
            before, self.busy_ident = self.busy_ident, native.get_ident()
            try:
                return self._step()
            finally:
                self.busy_ident = before

    def drain(self) -> None:
        """Do all that there is to do, in the calling thread."""
        with self._step_lock, inside(self.own_threads):
            while not (self._stop_at is not None or self.is_running) and self.step():
                pass

    # -- in the thread

    def _run(self) -> None:
        ident = self._own_ident = native.get_ident()
        try:
            self.own_threads.add(ident)
            while not self._is_over():
                try:
                    self._wait()
                    self.step()
                    self._release_sink()
                except BaseException as fault:  # the thread outlives whatever happens in it
                    self.restarts += 1
                    self.note(fault)
            self.close_sink(5.0)
        finally:
            self.own_threads.discard(ident)
            self._own_ident = None
            self.is_running = False
            self._ended.open()

    def _release_sink(self) -> None:
        released = self._release
        if released is not None and not self.queue.waiting:
            self._release = None
            self.close_sink(0)
            released.open()

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        return not self.queue.waiting or self._clock() >= self._stop_at

    def _wait(self) -> None:
        """Sleep until a batch is due or somebody rings."""
        while not self._is_hurried():
            self.bell.doze()
            wait = self._rest_s()
            if wait == 0 or self._is_hurried():
                break
            self.bell.sleep(wait)
        self.bell.rouse()

    def _is_hurried(self) -> bool:
        """Return whether somebody waits: nothing to clear, so no call can be missed."""
        return self._is_awaited() or self._stop_at is not None or self._release is not None

    def _sleep_through(self, delay: float) -> bool:
        """Wait `delay` seconds amid work; return False where there is no time to.

        A flush or a stop ends it early.
        """
        until = self._clock() + delay
        before = self._hurries()
        while (left := until - self._clock()) > 0:
            if self._stop_at is not None:
                left = min(left, self._stop_at - self._clock())
                if left <= 0:
                    return False
            if self._hurries() != before:
                break  # a flush or a stop came while we waited: try at once
            look = self._do_chores()
            self.bell.sleep(left if look is None else min(left, look))
        return True

    def _hurries(self) -> tuple[int, bool, bool]:
        return self.queue.calls, self._stop_at is not None, self._is_hasty

    def _is_for_the_caller(self, fault: BaseException) -> bool:
        """Return whether `fault` is a Ctrl-C, or the like, of a thread that is not ours."""
        return not isinstance(fault, Exception) and native.get_ident() != self._own_ident
