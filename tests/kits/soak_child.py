"""The program under test: threads log numbered records while it reloads and forks.

Run by `soak_kit` with a folder, a seed and a role. As `whole` it goes on until a line
comes on stdin, then flushes and shuts down; each process leaves a `<name>.json` with
what it logged and its counters. As `killed` it goes on until kill -9, and each thread
notes what it has logged right after the call. As `last` it delivers what all others
have left in their spools.
"""

import atexit

AT_END = []
# Before `import logging`, so that it is called after the hook that closes the handlers.
atexit.register(lambda: [call() for call in AT_END])

import faulthandler  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

LOGGERS = ("app", "app.db", "app.web.views")
INFO, DEBUG = logging.INFO, logging.DEBUG
#: Level of the n-th record, again and again.
LEVELS = (INFO, DEBUG, INFO, INFO, logging.WARNING) * 8 + (INFO,) * 9 + (logging.ERROR,)
#: Records of a thread between two pauses.
BURST = 20
#: How often a process looks for what dead ones have left in the spools.
LOOK_S = 0.3
#: A descriptor to note on what was logged; None: the counters tell.
NOTES = None


def kind_of(who, number):
    """Return logger and level of the n-th record of a thread."""
    if who.startswith("hard"):
        return "hard", INFO
    return LOGGERS[number % len(LOGGERS)], LEVELS[number % len(LEVELS)]


def log(who, thread, number):
    """Log the n-th record of a thread."""
    name, level = kind_of(who, number)
    logging.getLogger(name).log(level, "#%s.%s.%s#", who, thread, number)
    if NOTES is not None:
        os.write(NOTES, f"#{who}.{thread}.{number}#\n".encode())


class Program:
    """What runs: three threads that log, one that samples, and who reloads and forks."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.seed = seed
        self.who = "main"
        self.totals = {}
        self.faults = []
        self.over = threading.Event()
        self.children = []
        self.reloads = 0

    def tell(self):
        """Leave the counters of this process."""
        self.leave(self.runtime.stats())

    def leave(self, stats):
        """Leave a file with what this process logged, and its counters if they are final."""
        told = {"who": self.who, "totals": self.totals, "stats": stats, "faults": self.faults}
        told |= {"reloads": self.reloads, "is_shut_down": self.runtime.is_shut_down}
        told["children"] = len(self.children)
        new = self.folder / f"{self.who}.new"
        new.write_text(json.dumps(told))
        os.replace(new, self.folder / f"{self.who}.json")

    def tell_late(self):
        """Leave the counters when the hooks at exit are through, and the ring has let go."""
        self.runtime.settle((self.runtime.workers["shown"],), 5)
        self.tell()

    # -- threads

    def talk(self, thread):
        chance = random.Random(f"{self.seed}-{thread}")
        number = 0
        while not self.over.is_set():
            for _ in range(BURST):
                log("main", thread, number)
                number += 1
            self.over.wait(chance.uniform(0, 0.03))
        self.totals[str(thread)] = number

    def sample(self):
        """Look at the ledgers time and again."""
        from logroute.testing import assert_adds_up

        while not self.over.wait(0.005):
            try:
                assert_adds_up(self.runtime.stats())
            except Exception as fault:
                self.faults.append(f"{type(fault).__name__}: {fault}")
                if len(self.faults) > 5:
                    return

    def reload(self):
        chance = random.Random(f"{self.seed}-reload")
        texts = [path.read_text() for path in sorted(self.folder.glob("variant-*.yaml"))]
        while not self.over.wait(chance.uniform(0, 0.15)):
            is_bad = chance.random() < 0.1
            new = self.folder / "new~"
            new.write_text(chance.choice(texts) + ("nonsense: 1\n" if is_bad else ""))
            os.replace(new, self.folder / "logging.yaml")
            outcome = self.runtime.reload()
            self.reloads += 1
            if "has not come round" in outcome.text:
                continue  # a busy machine: the config of before stays, and says so
            if (outcome.outcome.value == "kept_old") is not is_bad:
                self.faults.append(f"reload: {outcome.text}")

    # -- forks

    def fork(self, chance):
        number, how = len(self.children), chance.choice(["exit", "shutdown", "exit", "kill"])
        count = chance.choice([0, 1, 7, 60, 200])
        pid = os.fork()
        if pid:
            self.children.append((pid, -9 if how == "kill" else 0))
            return
        try:
            self.be_child(f"{'hard' if how == 'kill' else 'child'}{number}", count)
            if how == "kill":
                self.leave(None)
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "exit":
                raise SystemExit(0)
            self.runtime.shutdown()
            self.tell()
            os._exit(0)
        except SystemExit:
            raise
        except BaseException as fault:
            os.write(2, f"forked child: {fault!r}\n".encode())
            os._exit(7)

    def be_child(self, who, count):
        """Log as a forked child, from two threads where there is much to log."""
        self.who, self.totals, self.faults, self.children = who, {}, [], []
        shares = [count] if count < 100 else [count // 2, count // 2]
        for thread, share in enumerate(shares):
            self.totals[str(thread)] = share
        others = [
            threading.Thread(target=self.say, args=(thread, share))
            for thread, share in enumerate(shares[1:], 1)
        ]
        for other in others:
            other.start()
        self.say(0, shares[0])
        for other in others:
            other.join()

    def say(self, thread, count):
        for at in range(count):
            log(self.who, thread, at)

    def run(self):
        import logroute

        signal.alarm(50)
        chance = random.Random(f"{self.seed}-fork")
        self.runtime = logroute.configure(str(self.folder / "logging.yaml"))
        threads = [threading.Thread(target=self.talk, args=(n,)) for n in range(3)]
        threads += [threading.Thread(target=each) for each in (self.sample, self.reload)]
        for thread in threads:
            thread.start()
        os.write(1, b"ready\n")
        stopper = threading.Thread(target=lambda: (sys.stdin.readline(), self.over.set()))
        stopper.start()
        try:
            while not self.over.wait(chance.uniform(0, 0.15)):
                if chance.random() < 0.7 and len(self.children) < 200:
                    self.fork(chance)
                else:
                    self.runtime.flush(chance.choice([0, 0.01, 0.2]))
        finally:
            if self.who == "main":
                self.end(threads)

    def end(self, threads):
        for thread in threads:
            thread.join()
        is_settled = self.runtime.flush(5)
        for pid, wanted in self.children:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status != wanted:
                self.faults.append(f"a forked child ended with {status}")
        started = time.monotonic()
        self.runtime.shutdown()
        if time.monotonic() - started > 20:
            self.faults.append("shutdown took over 20 s")
        if is_settled and self.runtime.intake.entries:
            self.faults.append("records are left in the intake")
        self.tell()

    def deliver_rest(self):
        """Deliver what is left in the spools, until nothing is."""
        import logroute

        signal.alarm(50)
        self.who = "last"
        self.runtime = logroute.configure(str(self.folder / "variant-0.yaml"))
        give_up_at = time.monotonic() + 30
        while any(self.folder.glob("spool/*/*.seg")) and time.monotonic() < give_up_at:
            self.runtime.flush(1)
            time.sleep(0.01)
        self.runtime.shutdown()
        self.tell()


def main():
    from logroute.delivery.spool import adoption

    global NOTES
    faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
    adoption.PERIOD_S = LOOK_S
    program, role = Program(Path(sys.argv[1]), sys.argv[2]), sys.argv[3]
    if role == "last":
        program.deliver_rest()
        return
    if role == "killed":
        NOTES = os.open(program.folder / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    AT_END.append(lambda: program.who != "main" and program.tell_late())
    program.run()


if __name__ == "__main__":
    main()
