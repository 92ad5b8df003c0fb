"""Soak runs: a config of every kind, servers that fail as a seed says, and the reckoning.

`soak(folder, seed, seconds)` runs `soak_child.py` against loopback servers of this
process and returns what broke a law, as text; nothing: all is well. A last program
delivers what is left in the spools. With some seeds the first one is killed in the
midst of it all; `soak_remains.py` says what holds then.
"""

import contextlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from soak_child import kind_of
from soak_remains import killed_faults, spool_faults
from soak_servers import HOST, MARK, Servers

CONFIG = """\
version: 1
shutdown_timeout: 1s
formatters:
  bare: {format: "%(levelname)s %(name)s %(message)s"}
handlers:
  losses: {type: file, path: DIR/losses.log, formatter: bare}
  plain: {type: file, path: DIR/plain.log, formatter: bare, mode: "MODE"}
  turned:
    {type: file, path: DIR/turned/a.log, formatter: bare, shared: true,
     rotate: {size: TURN, keep: 9999}}
  foreign: {class: logging.FileHandler, filename: DIR/foreign.log, formatter: bare, delay: DELAY}
  spare: {type: file, path: DIR/spare.log, formatter: bare, mode: "MODE"}
  shown: {type: file, path: DIR/shown.log, formatter: bare}
  ring: {type: memory, target: shown, capacity: CAPACITY, flush_on_close: CLOSING}
  lines:
    {type: socket, address: "HOST:LINES", formatter: bare, NET, queue: {max_records: QUEUE}}
  wire: {type: syslog, transport: tcp, address: "HOST:WIRE", NET}
  dgram: {type: datagram, address: "HOST:DGRAM", formatter: bare, NET}
  web: {type: http, url: "http://HOST:WEB/", proxy: none, fallback: spare, NET}
  hook:
    type: http
    url: http://HOST:HOOK/
    proxy: none
    level: WARNING
    filters: [some]
    dead_letter: {path: DIR/dead.jsonl}
    NETWORK
  mail:
    {type: email, host: HOST, port: MAIL, security: none, level: ERROR, from: a@x.example,
     to: [b@x.example], subject: "SUBJECT", batch: {max_wait: 50ms}, NET}
  saved:
    type: socket
    address: "HOST:SAVED"
    formatter: bare
    batch: {max_records: BATCH}
    spool: {path: DIR/spool, sync: SYNC}
    NETWORK
  post:
    type: http
    url: http://HOST:POST/
    proxy: none
    batch: {max_records: BULK}
    spool: {path: DIR/spool, write: caller, sync: FORCED}
    NETWORK
EXTRAfilters:
  some: {type: throttle, limit: LIMIT, per: 1s}
root: {level: DEBUG}
routes:
  - {match: {logger: logroute}, to: [losses], final: true}
  - {match: {logger: hard}, to: [post], final: true}
  - match: {logger: app}
    to: [plain, turned, foreign, ring, lines, web, hook, mail, saved, postEXTRA_TO]
  - {match: {logger: app.db}, to: [wire]}
  - {match: {logger: app.web, message: "#"}, to: [dgram, wire]}
"""
NET = {
    "retry": "{initial: 10ms, max: 100ms, give_up_after: PATIENCE}",
    "breaker": "{failures: 3, probe_after: 50ms, max_probe_after: 200ms}",
    "timeout": "{connect: 300ms, send: 400ms}",
}
EXTRA = "  extra: {type: file, path: DIR/extra.log, formatter: bare}\n"
#: Which records of `app` a handler gets under every variant of the config.
WANTS = {
    "plain": lambda name, level: True,
    "turned": lambda name, level: True,
    "foreign": lambda name, level: True,
    "ring": lambda name, level: True,
    "lines": lambda name, level: True,
    "web": lambda name, level: True,
    "hook": lambda name, level: level >= 30,
    "mail": lambda name, level: level >= 40,
    "wire": lambda name, level: name != "app",
    "dgram": lambda name, level: name == "app.web.views",
    "saved": lambda name, level: True,
    "post": lambda name, level: True,
}
#: These have a spool, and nothing is missing in the end. The records of processes that
#: were killed are for the last one alone, whose callers write.
SPOOLED = ("saved", "post")
#: Exactly what was delivered is in these, each record once.
FILES = ("plain", "turned", "foreign", "spare", "shown", "extra")


def text_of(chance, folder, ports):
    """Return a variant of the config."""
    has_extra = chance.random() < 0.5
    words = {
        "EXTRA_TO": ", extra" if has_extra else "",
        "EXTRA": EXTRA if has_extra else "",
        "NETWORK": "\n    ".join(f"{key}: {value}" for key, value in NET.items()),
        "NET": ", ".join(f"{key}: {value}" for key, value in NET.items()),
        "PATIENCE": chance.choice(["100ms", "1s", "1m"]),
        "MODE": chance.choice(["0600", "0644"]),
        "TURN": chance.choice(["20 kB", "300 kB"]),
        "DELAY": chance.choice(["true", "false"]),
        "CAPACITY": str(chance.choice([10, 1000])),
        "CLOSING": chance.choice(["true", "false"]),
        "QUEUE": str(chance.choice([100, 20_000])),
        "LIMIT": str(chance.choice([20, 1000])),
        "BATCH": str(chance.choice([40, 500])),
        "BULK": str(chance.choice([40, 500])),
        "SYNC": chance.choice(["none", "batch"]),
        "FORCED": chance.choice(["none", "batch"]),
        "SUBJECT": chance.choice(["one", "two"]),
        "HOST": HOST,
        "DIR": str(folder),
        **{name.upper(): str(port) for name, port in ports.items()},
    }
    return re.sub("|".join(words), lambda found: words[found[0]], _filled(words))


def _filled(words):
    text = CONFIG
    for name in ("EXTRA_TO", "NETWORK", "NET", "EXTRA"):
        text = text.replace(name, words[name])
    return text


def soak(folder: Path, seed: int, seconds: float, keep=lambda reckoning: None) -> list[str]:
    """Run once; return what broke a law. `keep` gets the reckoning."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    servers = Servers(random.Random(chance.random()))
    healed = tuple(servers.all) if chance.random() < 0.75 else ()
    role = "killed" if seed % 4 == 0 else "whole"
    try:
        ports = {name: server.port for name, server in servers.all.items()}
        for number in range(3):
            variant = folder / f"variant-{number}.yaml"
            variant.write_text(text_of(chance, folder, ports))
        (folder / "logging.yaml").write_text((folder / "variant-0.yaml").read_text())

        def before_end():
            servers.rest(heal=healed)
            if not healed:
                servers.choke("saved")

        errors = _run_child(folder, seed, role, seconds, before_end)
        if not errors:
            servers.crash("saved")
            servers.rest(heal=SPOOLED)
            errors = _run_child(folder, seed, "last", 40, lambda: None)
    finally:
        servers.rest()
        servers.end()
    if errors:
        return errors
    reckoning = Reckoning(folder, servers)
    keep(reckoning)
    if role == "killed":
        return killed_faults(reckoning)
    return reckoning.faults()


def _run_child(folder, seed, role, seconds, before_end):
    script = str(Path(__file__).with_name("soak_child.py"))
    environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    command = [sys.executable, "-W", "error", script, str(folder), str(seed), role]
    with open(folder / "stderr", "ab") as stderr:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environ,
            start_new_session=True,
        )  # fmt: skip
        try:
            child.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(seconds)
            if role == "killed" and child.poll() is None:
                os.killpg(child.pid, 9)
            before_end()
            child.communicate(b"\n", timeout=60)
        except subprocess.TimeoutExpired:
            return [f"it does not end; {_shown(folder)}"]
        finally:
            with contextlib.suppress(ProcessLookupError):  # forked children that hang, too
                os.killpg(child.pid, 9)
            child.wait()
    wanted = -9 if role == "killed" else 0
    is_well = child.returncode == wanted
    return [] if is_well else [f"it ended with {child.returncode}; {_shown(folder)}"]


def _shown(folder):
    return "stderr: " + (folder / "stderr").read_text(errors="replace")[-6000:]


class Reckoning:
    """What was logged, what the counters say and what came, held against each other."""

    def __init__(self, folder, servers):
        self.folder = folder
        self.servers = servers
        self.told = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        self.found = []
        self.ledgers = {}
        #: How many records of the spools each process found that earlier ones had left.
        self.recovered = Counter()
        self.sent = {}
        for each in self.told:
            self._add(each)

    def _add(self, told):
        from logroute.engine.retirement import add_counts
        from logroute.engine.stats import totals

        stats = told["stats"] or {"handlers": {}, "retired": {}}
        for name, ledger in totals(stats).items():
            add_counts(self.ledgers.setdefault(name, {}), ledger)
        for ledgers in (stats["handlers"], stats["retired"]):
            for name in SPOOLED:
                self.recovered[name] += ledgers.get(name, {}).get("recovered", 0)
        for thread, total in told["totals"].items():
            for number in range(total):
                mark = f"{told['who']}.{thread}.{number}".encode()
                self.sent[mark] = kind_of(told["who"], number)

    def wanted(self, name):
        """Return the marks of the records that were logged for a handler."""
        if name == "post":
            return set(self.sent)
        wants = WANTS[name]
        return {mark for mark, kind in self.sent.items() if kind[0] != "hard" and wants(*kind)}

    def came(self):
        """Return the marks that came, by handler, each as often as it did."""
        return self._files() | {name: server.got for name, server in self.servers.all.items()}

    def expect(self, holds, text):
        if not holds:
            self.found.append(text)

    def faults(self):
        """Return what broke a law."""
        self._processes()
        came = self.came()
        for name, marks in came.items():
            unsent = [mark for mark in set(marks) if mark not in self.sent]
            self.expect(not unsent, f"{name}: {len(unsent)} came that nobody sent: {unsent[:3]}")
        for name in WANTS:
            wanted = self.wanted(name)
            if name in SPOOLED:
                self.found += spool_faults(self, name, wanted, came[name])
                continue
            ledger = self.ledgers[name]
            text = f"{name}: {len(wanted)} were logged for it; {ledger}"
            self.expect(ledger["enqueued"] == len(wanted), text)
            if name != "ring":
                self._handler(name, wanted, came)
        self._handed_on(came)
        return self.found

    def _processes(self):
        from logroute.testing import assert_adds_up

        children = sum(told["children"] for told in self.told)
        text = f"{children} processes were forked, {len(self.told) - 2} told what they did"
        self.expect(len(self.told) == children + 2, text)
        for told in self.told:
            self.found += [f"{told['who']}: {fault}" for fault in told["faults"]]
            stats = told["stats"]
            if stats is None:
                continue
            for key in ("faults", "unmatched", *(["intake"] if told["is_shut_down"] else [])):
                self.expect(not stats[key], f"{told['who']}: {key} {stats[key]}")
            try:
                assert_adds_up(stats)
            except AssertionError as fault:
                self.found.append(f"{told['who']}: {fault}")
            for name, counts in stats["handlers"].items():
                left = counts["queued"] + counts["in_flight"]
                is_well = not left or not told["is_shut_down"] or name in SPOOLED
                self.expect(is_well, f"{told['who']}: {name}: {left} left after shutdown")
        errors = (self.folder / "stderr").read_text(errors="replace")
        self.expect("Traceback" not in errors, errors[-3000:])

    def _files(self):
        """Return the marks in each file; check that all lines are whole and counted."""
        came = {}
        for name in FILES:
            folder = self.folder / "turned" if name == "turned" else self.folder
            paths = folder.glob("a*.log*" if name == "turned" else f"{name}.log")
            lines = [line for path in paths for line in path.read_bytes().splitlines()]
            marks = came[name] = [mark for line in lines for mark in MARK.findall(line)]
            self.expect(len(marks) == len(lines), f"{name}: lines that are no records of ours")
            twice = [mark for mark, count in Counter(marks).items() if count > 1]
            # Who is cut off while it hands a batch over has it handed over once more.
            is_well = not twice or name == "spare"
            self.expect(is_well, f"{name}: {len(twice)} came twice: {twice[:3]}")
            ledger = self.ledgers.get(name, {"delivered": 0, "dropped": {}})
            # What was being written when the time to drain was over counts as dropped.
            cut_off = ledger["dropped"].get("shutdown", 0)
            text = f"{name}: {len(lines)} lines; {ledger}"
            self.expect(0 <= len(lines) - ledger["delivered"] <= cut_off, text)
        return came

    def told_late(self, name):
        """Return whether a handler said that an answer came too late: then a batch comes again.

        On a busy machine even a server that is well may answer too late.
        """
        errors = (self.folder / "stderr").read_text(errors="replace")
        said = [line for line in errors.splitlines() if f"handler `{name}`" in line]
        return any("no answer within" in line or "timed out" in line for line in said)

    def _handler(self, name, wanted, came):
        ledger, got = self.ledgers[name], set(came[name])
        self.expect(not got - wanted, f"{name}: got {len(got - wanted)} that were not for it")
        if name in self.servers.calm:
            twice = len(came[name]) - len(got)
            is_well = not twice or self.told_late(name)
            self.expect(is_well, f"{name}: {twice} came twice from a server that was well")
        if name == "dgram" and name not in self.servers.calm:
            return  # acknowledged by nobody
        text = f"{name}: {len(got)} came, {ledger['delivered']} counted as delivered"
        self.expect(len(got) >= ledger["delivered"], text)
        others = set(came["spare"]) if name == "web" else self._dead(name) - got
        missing = wanted - got - others
        allowed = _lost(ledger) + (_lost(self.ledgers["spare"]) if name == "web" else 0)
        text = f"{name}: {len(missing)} missing, {allowed} counted as lost; {ledger}"
        self.expect(len(missing) <= allowed, text)

    def _dead(self, name):
        path = self.folder / "dead.jsonl"
        if name != "hook" or not path.exists():
            return set()
        documents = [json.loads(line) for line in path.read_bytes().splitlines()]
        kept = {mark for each in documents for mark in MARK.findall(json.dumps(each).encode())}
        count = self.ledgers["hook"]["dead_lettered"]
        self.expect(len(kept) >= count, f"hook: {count} dead-lettered, {len(kept)} in the file")
        return kept

    def _handed_on(self, came):
        ledgers = self.ledgers
        for giver, key, taker in (
            ("web", "handed_to_fallback", "spare"),
            ("ring", "delivered", "shown"),
        ):
            gave, took = ledgers[giver][key], ledgers[taker]["enqueued"]
            text = f"{giver} handed {gave} on, {taker} got {took}"
            again = len(came[taker]) - len(set(came[taker]))
            self.expect(gave <= took <= gave + again, text)

    def __str__(self):
        """Return the ledgers of all processes together."""
        lines = [f"{len(self.sent)} records of {len(self.told)} processes"]
        return "\n".join([*lines, *(f"{k}: {v}" for k, v in sorted(self.ledgers.items()))])


def _lost(ledger):
    """Return how many a ledger says are not delivered, nor kept elsewhere."""
    lost = sum(sum(ledger[key].values()) for key in ("dropped", "filtered"))
    return lost + ledger["queued"] + ledger["in_flight"]


def main():
    """Run once, as `folder seed seconds` say; print the faults as JSON."""
    kept = []
    faults = soak(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), kept.append)
    print(json.dumps([*faults, *map(str, kept)] if faults else []))


if __name__ == "__main__":
    main()
