"""`logroute stats`: asking running processes, tables, machines' formats, exit codes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest
import yaml
from cli_kit import ROOT, logroute
from prometheus_client.parser import text_string_to_metric_families
from stats_kit import config, is_report, leave_stale, serve

from logroute.cli.meters.table import Style, is_well, lines, merged

FAILING = {"dead": {"type": "socket", "address": "127.0.0.1:9", "formatter": "json",
                    "breaker": {"failures": 1}}}  # fmt: skip


@pytest.fixture
def child(tmp_path):
    with serve(tmp_path) as process:
        process.path = process.line()
        yield process


def test_table_says_what_became_of_records(child):
    """Process, records and one line per handler; all is well, so the exit code is 0."""
    code, out, err = logroute("stats", child.path)
    assert (code, err) == (0, "")
    head, accepted, _, columns, row = out.splitlines()
    assert re.fullmatch(rf"python \(pid {child.pid}\), up [\d.]+ s, logroute \S+", head)
    assert accepted == "1 record accepted"
    assert columns.split() == ["handler", "state", "enqueued", "delivered", "dropped", "waiting",
                               "oldest"]  # fmt: skip
    assert row.split() == ["out", "ok", "1", "1", "0", "0", "-"]


@pytest.mark.parametrize("how", ["pid", "glob", "quoted", "folder", "config", "environment"])
def test_process_is_found_by_any_name(child, tmp_path, how):
    """Its number, a pattern, the path of the config, the folder or the config will do."""
    file = tmp_path / "logging.yaml"
    pattern = str(tmp_path / "p-{pid}.sock")
    file.write_text(yaml.safe_dump(config(tmp_path, stats={"socket": pattern})))
    words = {
        "pid": child.pid,
        "glob": tmp_path / "p-*.sock",
        "quoted": pattern,
        "folder": tmp_path,
        "config": file,
    }
    environment = {"LOGROUTE_CONFIG": str(file)}
    given = [words[how]] if how in words else []
    code, out, err = logroute("stats", *given, environment=environment)
    assert (code, err) == (0, "") and f"(pid {child.pid})" in out


def test_processes_beside_a_taken_path_are_found(tmp_path):
    """A config without `{pid}` finds those that had to go beside the first one."""
    file = tmp_path / "logging.yaml"
    file.write_text(yaml.safe_dump(config(tmp_path, stats={"socket": str(tmp_path / "s.sock")})))
    with serve(tmp_path, "s.sock") as one:
        one.line()
        with serve(tmp_path, "s.sock") as two:
            two.line()
            _, out, _ = logroute("stats", file)
            assert f"(pid {one.pid})" in out and f"(pid {two.pid})" in out


def test_failing_handler_is_shown(tmp_path):
    """A dead destination makes the exit code 1, with its state, its error and what waits."""
    with serve(tmp_path, handlers=FAILING) as child:
        path = child.line()
        code, out, err = logroute("stats", path, "--color", "always")
        assert (code, err) == (1, "")
        assert re.search(
            r"dead +\x1b\[31m(failing|breaker open)\x1b\[0m +1 +0 +0 +1 of 10,000", out
        )
        assert re.search(r"\n  last error [\d.]+ s ago, \d+ in all: .*onnection refused", out)


def test_json_follows_its_schema(child, tmp_path):
    """Machines get the stats of each process, and why others could not be asked."""
    leave_stale(tmp_path / "p-1.sock")
    code, out, err = logroute("stats", tmp_path / "p-*.sock", "--format", "json")
    report = json.loads(out)
    is_report(report)
    assert (code, err) == (0, "")
    assert [found["stats"]["pid"] for found in report["processes"]] == [child.pid]
    assert "no process serves it" in report["unreachable"][0]["why"]


def test_metrics_tell_processes_apart(child, tmp_path):
    """In the Prometheus format several processes differ by `pid`; each metric is told once."""
    with serve(tmp_path) as other:
        other.line()
        _, out, _ = logroute("stats", tmp_path, "--format", "prometheus")
    found = {family.name: family for family in text_string_to_metric_families(out)}
    pids = {sample.labels["pid"] for sample in found["logroute_accepted_records"].samples}
    assert pids == {str(child.pid), str(other.pid)}
    assert out.count("# TYPE logroute_accepted_records_total ") == 1


def test_several_processes_are_listed_or_summed(child, tmp_path):
    """Without --sum each has its table; with it there is one."""
    with serve(tmp_path) as other:
        other.line()
        _, listed, _ = logroute("stats", tmp_path)
        _, summed, _ = logroute("stats", tmp_path, "--sum")
    assert listed.count("1 record accepted") == 2
    first, second = sorted((child.pid, other.pid), key=str)
    assert f"(pid {first}, {second})" in summed
    assert "2 records accepted" in summed and len(summed.splitlines()) == 5


def test_dead_process_is_said_to_be_dead(tmp_path):
    """What a killed process left behind is exit code 2, with the reason and what becomes of it."""
    with serve(tmp_path) as child:
        path = child.line()
    code, out, err = logroute("stats", path)
    assert (code, out) == (2, "")
    assert f"{path}: no process serves it any more" in err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nothing.sock", "there is no nothing.sock; the process has ended"),
        ("*.sock", "no socket matches `*.sock`"),
        (".", ". has no socket"),
        ("4194305", "there is no process 4194305"),
        ("this process", "shows no stats; add `stats: {socket:"),
        ("bad.yaml", "bad.yaml cannot be used; see `logroute check bad.yaml`"),
        ("plain.yaml", "plain.yaml has no `stats: {socket: ...}`"),
        (None, "name a socket"),
    ],
)
def test_nothing_to_ask_is_explained(tmp_path, word, said):
    """Whatever cannot be found is told in one line with a cure, and exit code 2."""
    (tmp_path / "bad.yaml").write_text("version: 7\n")
    (tmp_path / "plain.yaml").write_text("version: 1\n")
    given = [] if word is None else [word.replace("this process", str(os.getpid()))]
    code, out, err = logroute("stats", *given, cwd=tmp_path, environment={"LOGROUTE_CONFIG": ""})
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


class Impostor:
    """Listens where a stats socket is expected, and says something else, or nothing."""

    def __init__(self, path, says):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._says = says
        self._peers = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        peer, _ = self._listener.accept()
        self._peers.append(peer)
        if self._says is not None:
            peer.recv(100)
            peer.sendall(self._says)
            peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.join(20)
        for end in (*self._peers, self._listener):
            end.close()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (None, "it has not answered in 0.3 s"),
        (b"", "it hung up"),
        (b"HTTP/1.1 400 \x1b[31mBad\r\n", "no stats socket of logroute: it said 'HTTP/1.1 400"),
        (b"[1]\n", "no stats socket of logroute"),
        (b'{"format_version": "2.0"}\n', "it speaks format 2.0; this logroute knows 1"),
    ],
)
def test_other_servers_are_told_apart(tmp_path, says, told):
    """Somebody else's socket, a later version or a hanging process: exit code 2 and the reason."""
    path = tmp_path / "x.sock"
    with Impostor(path, says):
        code, out, err = logroute("stats", path, "--timeout", "0.3")
    assert (code, out) == (2, "")
    assert told in err and "\x1b" not in err


def test_watch_shows_rates_until_interrupted(child):
    """--watch asks again and again; from the second table on there are rates."""
    command = [sys.executable, "-m", "logroute", "stats", child.path, "--watch", "--every", "0.05"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        for line in watching.stdout:
            if line.rstrip().endswith("out/s"):
                break
        assert next(watching.stdout).split()[-2:] == ["0", "0"]
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        assert watching.returncode == 130


def test_watch_ends_with_the_process(child):
    """When the last process has ended, so does --watch, and says why."""
    command = [sys.executable, "-m", "logroute", "stats", child.path, "--watch", "--every", "0.05"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        watching.stdout.readline()
        child.end()
        _, err = watching.communicate(timeout=30)
        assert watching.returncode == 2 and "the process has ended" in err


# -- tables of made-up counters

LEDGER = {"enqueued": 12, "delivered": 5, "dropped": {"shed": 3}, "filtered": {}, "queued": 4,
          "in_flight": 0, "dead_lettered": 0, "handed_to_fallback": 0}  # fmt: skip
HANDLER = LEDGER | {"state": "losing", "oldest": 95.0, "max_records": 10, "last_error": None,
                    "errors": {"count": 2, "when": 1000.0, "last": "gone"}}  # fmt: skip
STATS = {
    "format_version": "1.0", "version": "1", "pid": 7, "program": "shop", "time": 8000.0,
    "uptime": 93_784.0, "accepted": 12, "intake": 0, "unmatched": 0, "internal": 0, "faults": 0,
    "notices": 0, "retired": {}, "reload": {"count": 0, "error": None},
    "handlers": {"mail": HANDLER},
}  # fmt: skip


def table(stats, before=None):
    return list(lines(stats, Style(), before))


def test_losses_and_past_errors_are_told():
    """Reasons of drops, an error that is over, ages and bounds are in words."""
    text = "\n".join(table(STATS))
    assert "up 1 d 2 h" in text and "1 min 35 s" in text and "4 of 10" in text
    assert "  dropped: 3 shed\n" in text
    assert "  last error 1 h 56 min ago, 2 in all (over): gone" in text


def test_rare_columns_show_by_need():
    """Dead letters and the fallback have columns where there are any."""
    assert "dead letters" not in table(STATS)[3]
    mail = HANDLER | {"dead_lettered": 2, "delivered": 3}
    assert "dead letters" in table(STATS | {"handlers": {"mail": mail}})[3]


def test_missing_records_are_told():
    """A ledger that does not add up is said to be our fault, and no good exit."""
    broken = STATS | {"handlers": {"mail": HANDLER | {"state": "ok", "delivered": 4}}}
    assert not is_well(broken)
    assert "1 records are unaccounted for" in "\n".join(table(broken))


def test_removed_handler_stays_visible():
    """What a reload took away is listed with what became of its records."""
    stats = STATS | {"retired": {"old": LEDGER}}
    assert any(line.split()[:3] == ["old", "removed", "12"] for line in table(stats))


def test_kept_old_config_is_told():
    """A reload that failed is news for whoever looks at the counters."""
    stats = STATS | {"reload": {"count": 1, "error": "x.yaml:1:1: error"}}
    assert "the new one cannot be used: x.yaml:1:1: error" in table(stats)[2]


def test_names_cannot_drive_the_terminal():
    """Control characters of names and errors are not obeyed."""
    evil = HANDLER | {"errors": {"count": 1, "when": 1.0, "last": "\x1b]0;x\x07"}}
    stats = STATS | {"program": "\x1b[2J", "handlers": {"\x1b[31m": evil}}
    assert not any("\x1b" in line or "\x07" in line for line in table(stats))


def test_sum_takes_the_worst_state():
    """Of several processes, counts add up, the worst state and the oldest age show."""
    well = HANDLER | {"state": "ok", "oldest": None, "errors": {"count": 0, "when": None,
                                                                "last": None}}  # fmt: skip
    both = merged([STATS, STATS | {"pid": 8, "handlers": {"mail": well}}])
    mail = both["handlers"]["mail"]
    assert (mail["state"], mail["enqueued"], mail["dropped"]) == ("losing", 24, {"shed": 6})
    assert (mail["oldest"], mail["errors"]["last"], both["pid"]) == (95.0, "gone", "7, 8")
