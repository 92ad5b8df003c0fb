"""A process that has the command imported already, and forks for each call of it.

Most of what a call takes is the start of Python and the imports. A child of this
process is the command as a person runs it, with arguments, descriptors, environment
and directory of its own, and ends as any program does.
"""

import contextlib
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys

_LEFT_OUT = ("logroute.testing", "logroute.contrib", "logroute.__main__")


def import_all():
    """Import what commands may need; each takes what it uses."""
    import logroute

    for module in pkgutil.walk_packages(logroute.__path__, "logroute."):
        if not module.name.startswith(_LEFT_OUT):
            importlib.import_module(module.name)


def become_command(call, descriptors):
    """Make this process the command, up to its first line."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(call["environment"])
    os.chdir(call["cwd"])
    sys.argv = ["logroute", *call["arguments"]]


def serve(control):
    """Fork for each call; return what to do in the child, None at the end."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 3)
        if not data:
            return None
        child = os.fork()
        if not child:
            control.close()
            return json.loads(data), descriptors
        for descriptor in descriptors:
            os.close(descriptor)
        status = os.waitpid(child, 0)[1]
        with contextlib.suppress(OSError):  # nobody waits any more
            control.send(b"%d" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    import_all()
    todo = serve(socket.socket(fileno=int(sys.argv[1])))
    if todo is not None:
        become_command(*todo)
        runpy.run_module("logroute", run_name="__main__", alter_sys=True)
