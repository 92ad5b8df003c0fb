"""What must hold of the handlers with a spool, and of a run that was ended by kill -9.

Both functions take the `Reckoning` of a run whose last program delivered what was left.
"""

import contextlib
import io
import json
from collections import Counter

from soak_servers import MARK

#: Most records of a batch, so that a process that was killed has sent no more twice.
BATCH = 500


def spool_faults(reckoning, name, wanted, came):
    """Return what broke a law at a handler with a spool, of processes that told all."""
    found = _shown_as_left(reckoning.folder)
    ledger, recovered, got = reckoning.ledgers[name], reckoning.recovered[name], Counter(came)

    def expect(holds, text):
        if not holds:
            found.append(f"{name}: {text}; {recovered} recovered; {ledger}")

    # Children that were killed told nothing: others recovered what they had logged.
    untold = {mark for mark in wanted if mark.startswith(b"hard")}
    count = len(wanted - untold)
    missing, strangers = wanted - got.keys(), got.keys() - wanted
    expect(not missing, f"{len(missing)} missing: {sorted(missing)[:3]}")
    expect(not strangers, f"got {len(strangers)} that were not for it: {sorted(strangers)[:3]}")
    expect(ledger["enqueued"] - recovered == count, f"{count} were logged for it")
    for key in ("dropped", "filtered", "dead_lettered", "handed_to_fallback"):
        expect(not ledger[key], f"{key} is not nothing")
    unsure = _unsure(reckoning.told, name)
    expect(len(came) >= ledger["delivered"] - unsure, f"{len(came)} came")
    left = ledger["queued"] + ledger["in_flight"]
    again = recovered - left - len(untold) - unsure
    expect(again <= 0, f"{again} were recovered that their process had delivered")
    if name in reckoning.servers.calm and not reckoning.told_late(name):
        twice = [mark for mark, times in got.items() if times > 1]
        most = BATCH * len({mark.split(b".")[0] for mark in untold}) + _in_doubt(reckoning, name)
        expect(len(twice) <= most, f"{len(twice)} came twice from a server that was well")
        expect(max(got.values(), default=0) <= 2 or most, "something came more than twice")
    return found


def killed_faults(reckoning):
    """Return what broke a law in a run that was killed; callers noted what they had logged."""
    found, noted = _shown_as_left(reckoning.folder), Counter()
    for who, thread, number in _notes(reckoning.folder):
        if noted[who, thread] != number:
            return [f"the notes of {who}.{thread} go on with {number}"]
        noted[who, thread] += 1
    promised = {_mark(*key, number) for key, count in noted.items() for number in range(count)}
    # Whoever was killed may have logged one more, or written half a line into a file.
    begun = promised | {_mark(*key, count) for key, count in noted.items()}
    came = {name: Counter(server.got) for name, server in reckoning.servers.all.items()}
    for name, marks in came.items():
        unsent = sorted(mark for mark in marks if mark not in begun and not _is_first(mark))
        if unsent:
            found.append(f"{name}: {len(unsent)} came that nobody sent: {unsent[:3]}")
    told = {each["who"].encode() for each in reckoning.told if each["stats"] is not None}
    for name in ("saved", "post"):
        wanted = {mark for mark in promised if name == "post" or mark.split(b".")[0] in told}
        missing = wanted - came[name].keys()
        if missing:
            found.append(f"{name}: {len(missing)} missing: {sorted(missing)[:3]}")
        ledger = reckoning.ledgers[name]
        if ledger["dropped"]:
            found.append(f"{name}: {ledger}")
    killed = {mark.split(b".")[0] for mark in begun} - told | {b"main"}
    twice = sum(times > 1 for times in came["post"].values())
    if "post" in reckoning.servers.calm and twice > BATCH * len(killed):
        found.append(f"post: {twice} came twice of {len(killed)} processes that were killed")
    return found


def _unsure(told, name):
    """Return how many records of processes that did not shut down the next ones may have.

    A socket's peer may have confirmed them, or not, after the process told its counts.
    """
    if name != "saved":
        return 0
    exited = [each["stats"] for each in told if each["stats"] and not each["is_shut_down"]]
    return sum(stats["handlers"][name]["delivered"] for stats in exited)


def _in_doubt(reckoning, name):
    """Return how many records had been sent, perhaps, by processes whose time was up then."""
    count = 0
    for told in reckoning.told:
        if (stats := told["stats"]) is None:
            continue
        for ledgers in (stats["handlers"], stats["retired"]):
            count += ledgers.get(name, {}).get("in_doubt", 0)
        if not told["is_shut_down"]:
            count += stats["handlers"][name]["in_flight"]
    return count


def _mark(who, thread, number):
    return f"{who}.{thread}.{number}".encode()


def _is_first(mark):
    """Return whether a thread may have been killed before it noted its very first record."""
    return mark.endswith(b".0")


def _notes(folder):
    for line in (folder / "notes").read_bytes().splitlines():
        (mark,) = MARK.findall(line)
        who, thread, number = mark.decode().split(".")
        yield who, thread, int(number)


def _shown_as_left(folder):
    """Return what `logroute spool ls` shows after the end."""
    from logroute import cli

    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = cli.main(["spool", "ls", str(folder / "spool"), "--format", "json"])
    shown = json.loads(out.getvalue())
    left = [one for spool in shown["spools"] for one in spool["series"] + spool["damaged"]]
    return [f"`logroute spool ls` ends with {code} and shows {left}"] if code or left else []
