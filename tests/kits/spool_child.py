"""A process that spools or delivers until it is killed, for tests with real processes."""

import os
import sys
import time

from logroute.delivery.specs import SpoolSpec
from logroute.delivery.spool.frames import body_of
from logroute.delivery.spool.queue import SpoolQueue


def say(text):
    os.write(1, f"{text}\n".encode())


def write(queue, name, mode):
    """Spool for ever; say the number of each record that is on disk."""
    number = 0
    while True:
        if mode == "caller":
            if queue.append(f"{name}:{number}".encode(), 20) is None:
                number += 1
        else:
            bodies = [body_of(f"{name}:{number + n}".encode(), 20, 0.0) for n in range(7)]
            number += queue.append_bodies(bodies).whole
        say(number)


def pump(queue, name):
    """Spool and deliver at the same time; say what is on disk, and what is delivered."""
    number = 0
    while True:
        bodies = [body_of(f"{name}:{number + n}".encode(), 20, 0.0) for n in range(5)]
        number += queue.append_bodies(bodies).whole
        say(f"on-disk {number}")
        for payload, _, _ in queue.take(3, 1 << 20):
            say(f"sent {payload.decode()}")
            queue.delivered(1)
        queue.chores()


def deliver(queue, count):
    """Deliver what dead processes left until `count` records are through or nothing is left."""
    idle = 0
    while idle < 3:
        batch = queue.take(50, 1 << 20)
        for payload, _, _ in batch:
            say(payload.decode())
        queue.delivered(len(batch))
        idle = 0 if batch else idle + 1
        if not batch:
            time.sleep(0.05)
    queue.close("shutdown")


def main():
    task, path, name, mode = sys.argv[1:]
    queue = SpoolQueue(SpoolSpec(path=path, max_bytes=1 << 22, write=mode), "h")
    queue.store.segment_size = 20_000
    if task == "write":
        write(queue, name, mode)
    elif task == "pump":
        pump(queue, name)
    else:
        deliver(queue, int(name))


main()
