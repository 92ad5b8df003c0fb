"""Shared fixtures: every test gives back the threads and descriptors it took."""

import gc
import logging
import os
import time
from collections.abc import Iterator

import cli_kit
import hypothesis
import pytest

import logroute

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) - cli_kit.kept_descriptors()


@pytest.fixture(autouse=True, scope="session")
def warm_process() -> Iterator[None]:
    """End the process that calls of the command are forked from."""
    yield
    cli_kit.end_warm_process()


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """Stop what a test configured, and fail it if threads or descriptors stay."""
    threads, descriptors = _threads(), _descriptors()
    root = logging.getLogger()
    level = root.level
    yield
    logroute.shutdown(timeout=2)
    root.setLevel(level)
    deadline = time.monotonic() + 5
    while _threads() > threads or _descriptors() > descriptors:
        gc.collect()
        if time.monotonic() > deadline:
            pytest.fail(
                f"leaked: {_threads() - threads} threads, "
                f"{_descriptors() - descriptors} descriptors"
            )
        time.sleep(0.01)
