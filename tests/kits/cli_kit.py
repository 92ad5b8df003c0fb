"""Runs the command `logroute` as a person would."""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_WARM = Path(__file__).with_name("warm_cli.py")
_TIMEOUT_S = 60


def logroute(*arguments, stdin=b"", environment=None, cwd=None):
    """Run the command to its end; return exit code, standard output and standard error."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    if "GITHUB_ACTIONS" not in (environment or {}):  # it decides about the format
        env.pop("GITHUB_ACTIONS", None)
    env.pop("NO_COLOR", None)
    words = [str(argument) for argument in arguments]
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        source.write(stdin)
        source.seek(0)
        is_cold = any(name.startswith("PYTHON") for name in environment or {})
        run = _run_cold if is_cold else _run_warm
        code = run(words, (source, out, err), env, cwd)
        return code, *(_content(file) for file in (out, err))


def _content(file):
    file.seek(0)
    return file.read().decode()


def _run_cold(words, files, env, cwd):
    source, out, err = files
    command = [sys.executable, "-m", "logroute", *words]
    return subprocess.run(
        command,
        stdin=source,
        stdout=out,
        stderr=err,
        timeout=_TIMEOUT_S,
        check=False,
        env=env,
        cwd=cwd,
    ).returncode


def _run_warm(words, files, env, cwd):
    """Have the command run by a child of a process that has imported it already."""
    call = {"arguments": words, "environment": env, "cwd": str(cwd or Path.cwd())}
    process, control = _warm_process()
    try:
        descriptors = [file.fileno() for file in files]
        socket.send_fds(control, [json.dumps(call).encode()], descriptors)
        return int(control.recv(100))
    except BaseException:
        end_warm_process()
        raise


@functools.cache
def _warm_process():
    control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(_TIMEOUT_S)
    with other:
        process = subprocess.Popen(
            [sys.executable, str(_WARM), str(other.fileno())],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[other.fileno()],
            start_new_session=True,
        )
    return process, control


def kept_descriptors():
    """Return how many descriptors stay open from call to call."""
    return _warm_process.cache_info().currsize


def end_warm_process():
    """End the process that commands are forked from, if there is one."""
    if _warm_process.cache_info().currsize:
        process, control = _warm_process()
        _warm_process.cache_clear()
        control.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
