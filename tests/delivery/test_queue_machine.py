"""The queue in memory against a model: who is in it, what became of the others, in order."""

from collections import Counter
from logging import DEBUG, ERROR, INFO, WARNING

from engine_kit import adds_up
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logroute.delivery.queue import Queue
from logroute.delivery.specs import QueueSpec

LEVELS = st.sampled_from([DEBUG, INFO, INFO, WARNING, ERROR])
ITEMS = st.lists(st.tuples(LEVELS, st.sampled_from([0, 1, 10, 60, 300])), max_size=12)
COUNT = st.integers(0, 12)
MOST, MOST_BYTES = 10, 400


class QueueMachine(RuleBasedStateMachine):
    """One dispatcher, one worker that may hang, and people who wait."""

    @initialize(policy=st.sampled_from(["shed", "block", "drop_newest", "drop_oldest"]))
    def begin(self, policy):
        self.policy = policy
        self.queue = Queue(QueueSpec(max_records=MOST, max_bytes=MOST_BYTES), policy)
        self.next = self.placed = 0
        self.waiting, self.flight, self.seized = [], [], []
        self.void = 0  # of what the worker holds, how many were seized
        self.fates = Counter()
        self.lost = Counter()  # by reason and level
        self.untold = Counter()
        self.asked = []  # how many were placed when somebody asked, and whether he was told
        self.is_closed = self.gave_up = False

    # -- the model

    def lacks_room(self, size, share=1.0):
        """Say whether there is no room; a record that is alone always has some."""
        many = len(self.waiting)
        used = sum(item[2] for item in self.waiting)
        return many >= MOST * share or (many > 0 and used + size > MOST_BYTES * share)

    def lose(self, reason, levels):
        for level in levels:
            self.lost[reason, level] += 1
            self.untold[reason, level] += 1

    def place(self, item):
        _, level, size = item
        if self.is_closed:
            self.lose("shutdown", [level])
            return
        if self.policy == "drop_oldest":
            while self.waiting and self.lacks_room(size):
                self.lose("queue_full", [self.waiting.pop(0)[1]])
        elif self.policy == "block":
            if self.lacks_room(size, 1.0 if self.gave_up else 2.0):
                self.lose("queue_full", [level])
                return
        elif self.lacks_room(size):
            self.lose("queue_full", [level])
            return
        elif self.policy == "shed" and level < WARNING and self.lacks_room(size, 0.8):
            self.lose("shed", [level])
            return
        self.waiting.append(item)

    def settle(self, count):
        """Return what the worker settles, oldest first: what was seized is not his any more."""
        void = min(count, self.void)
        self.void -= void
        settled = self.flight[: count - void]
        del self.flight[: count - void]
        return settled

    # -- the dispatcher

    @rule(items=ITEMS, filtered=COUNT, dropped=st.lists(LEVELS, max_size=3))
    def put(self, items, filtered, dropped):
        made = []
        for level, size in items:
            made.append((self.next, level, size))
            self.next += 1
        self.queue.put(made, ["f"] * filtered, [("format_error", level) for level in dropped])
        self.fates["filtered"] += filtered
        self.lose("format_error", dropped)
        for item in made:
            self.place(item)
        self.placed = self.next

    @rule(level=LEVELS)
    def refuse(self, level):
        self.queue.refuse(level)
        self.lose("intake_full", [level])

    @precondition(lambda self: self.policy == "block")
    @rule()
    def give_up(self):
        self.queue.gave_up = self.gave_up = True

    # -- the worker

    @rule(most=st.integers(1, 12), most_bytes=st.sampled_from([1, 50, 1000]))
    def take(self, most, most_bytes):
        taken = self.queue.take(most, most_bytes)
        assert taken == self.waiting[: len(taken)]
        size = sum(item[2] for item in taken)
        assert len(taken) <= most and (size <= most_bytes or len(taken) == 1)
        assert taken or not self.waiting
        del self.waiting[: len(taken)]
        self.flight += taken
        self.gave_up = False

    @rule(count=COUNT, fate=st.sampled_from(["delivered", "dead_lettered"]))
    def deliver(self, count, fate):
        count = min(count, self.queue.held)
        getattr(self.queue, fate)(count)
        self.fates[fate] += len(self.settle(count))

    @rule(count=COUNT)
    def drop(self, count):
        count = min(count, self.queue.held)
        self.queue.dropped("undelivered", count)
        self.lose("undelivered", [level for _, level, _ in self.settle(count)])

    @rule(count=COUNT)
    def hand_over(self, count):
        count = min(count, self.queue.held)
        passed = []
        self.queue.handed_over(count, passed.append)
        settled = len(self.settle(count))
        assert passed == ([settled] if settled else [])
        self.fates["handed_to_fallback"] += settled

    @rule(count=st.integers(0, 3))
    def lose_after_all(self, count):
        self.queue.lost_after_all("unacknowledged", count)
        count = min(count, self.fates["delivered"])
        self.fates["delivered"] -= count
        self.lose("unacknowledged", [0] * count)

    # -- who takes all from a worker that hangs

    @rule()
    def seize(self):
        assert self.queue.seize() == self.flight + self.waiting
        self.void += len(self.flight)
        self.seized += self.flight + self.waiting
        self.flight, self.waiting = [], []
        self.gave_up = False

    @precondition(lambda self: self.seized)
    @rule(kept=st.integers(0, 5), passed=st.integers(0, 5))
    def settle_seized(self, kept, passed):
        kept = min(kept, len(self.seized))
        passed = min(passed, len(self.seized) - kept)
        lost = self.seized[kept + passed :]
        count = self.queue.settle_seized("undelivered", dead_lettered=kept, handed_over=passed)
        assert count == len(lost)
        self.fates["dead_lettered"] += kept
        self.fates["handed_to_fallback"] += passed
        self.lose("undelivered", [level for _, level, _ in lost])
        self.seized = []

    @rule()
    def close(self):
        left = self.seized + self.flight + self.waiting
        assert self.queue.close("shutdown") == (0 if self.is_closed else len(left))
        if not self.is_closed:
            self.void += len(self.flight)
            self.lose("shutdown", [level for _, level, _ in left])
            self.seized, self.flight, self.waiting = [], [], []
        self.is_closed = True

    # -- who waits, and who asks

    @rule()
    def ask(self):
        told = []
        self.queue.when_settled(lambda: told.append(1))
        self.asked.append((self.placed, told))

    @rule()
    def tell(self):
        told = self.queue.take_untold()
        flat = {(why, lvl): n for why, found in told.items() for lvl, n in found.items()}
        assert flat == +self.untold
        self.untold.clear()

    @invariant()
    def numbers_add_up(self):
        if not hasattr(self, "queue"):
            return
        counts = self.queue.counts()
        assert adds_up(counts)
        assert counts["queued"] == len(self.waiting) == self.queue.waiting
        assert counts["in_flight"] == len(self.flight) + len(self.seized)
        assert self.queue.unsettled == counts["queued"] + counts["in_flight"]
        assert self.queue.held == len(self.flight) + self.void
        assert self.queue.is_seized is (self.void > 0)
        assert self.queue.bytes == sum(item[2] for item in self.waiting)
        reasons = Counter()
        for (reason, _), count in self.lost.items():
            reasons[reason] += count
        assert counts["dropped"] == reasons and self.queue.losses == reasons.total()
        assert counts["filtered"].get("f", 0) == self.fates["filtered"]
        for fate in ("delivered", "dead_lettered", "handed_to_fallback"):
            assert counts[fate] == self.fates[fate]

    @invariant()
    def bounds_hold(self):
        if hasattr(self, "queue"):
            assert len(self.waiting) <= MOST * (2 if self.policy == "block" else 1)

    @invariant()
    def who_waits_is_told_in_time(self):
        """All that was placed before is settled: then, and not before."""
        if not hasattr(self, "queue"):
            return
        open_ones = [number for number, _, _ in self.seized + self.flight + self.waiting]
        oldest = min(open_ones, default=self.placed)
        for placed, told in self.asked:
            assert told == ([1] if oldest >= placed else [])


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
