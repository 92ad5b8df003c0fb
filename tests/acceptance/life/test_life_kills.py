"""Processes that are killed: faults 1 and 2 of the catalogue."""

import signal

import pytest
from life_kit import doubles, numbers, start

from logroute.receivers import TcpReceiver

STREAM = """
n = 0
while True:
    log.info("record %d", n)
    say(n)
    n += 1
"""


def killed(folder, number, configure):
    """Kill a process after 1500 records that it was told were taken; return the last of them."""
    with start(folder, configure + STREAM) as scenario:
        while int(last := scenario.readline()) < 1500:
            pass
        scenario.send(number)
        assert scenario.wait() == -number, scenario.err
        assert scenario.err == ""
    return max([int(last), *map(int, scenario.out.split()[:-1])]), scenario


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_process_keeps_what_callers_wrote(tmp_path, number):
    """Faults 1 and 2: in sync mode every record whose call returned is in the file."""
    script = 'configure({"out": file(queue={"mode": "sync"})})'
    last, done = killed(tmp_path, number, script)
    found = numbers(done.lines())
    assert found == list(range(len(found)))
    assert len(found) > last


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_process_loses_what_waits_in_memory(tmp_path, number):
    """Faults 1 and 2: the newest records only, at most what a queue holds; none is torn."""
    queue = '{"max_records": 200}'
    script = f'configure({{"out": file(queue={queue})}}, queue={queue})'
    last, done = killed(tmp_path, number, script)
    found = numbers(done.lines())
    assert found == list(range(len(found)))
    assert last + 1 - len(found) <= 2 * 200 + 1000  # the queue, what flies, one round of routing


def test_killed_process_sends_whole_frames(tmp_path):
    """Fault 1: what a collector has of a killed process is a beginning of it, each record once."""
    with TcpReceiver("octet") as tcp:
        options = f'"address": "{tcp.address}", "framing": "octet", "formatter": "bare"'
        script = f'configure({{"tcp": {{"type": "socket", {options}}}}})'
        last, _ = killed(tmp_path, signal.SIGKILL, script)
        assert tcp.wait_until(lambda: not tcp._open)
        found = numbers(frame.decode() for frame in tcp.received)
    assert not doubles(found)
    assert found == list(range(len(found)))
