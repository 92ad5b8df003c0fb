"""Children of multiprocessing: faults 14 and 15 of the catalogue."""

import json

import pytest
from life_kit import doubles, run

CONFIG = {
    "version": 1,
    "formatters": {"bare": {"format": "%(message)s"}},
    "handlers": {"out": {"type": "file", "path": "out.log", "formatter": "bare"}},
    "root": {"level": "INFO"},
    "routes": [{"to": "out"}],
}
#: A module that the children import again, as a program's main module under spawn.
MAIN = """
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor

def work(name):
    for n in range(300):
        log.info("%s %d", name, n)

def work_of_its_own(name):
    logroute.configure("logging.json")
    work(name)

def task(n):
    log.info("task %d", n)
    return os.getpid()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logging.json").write_text(json.dumps(CONFIG))
    return tmp_path


def expect(done, *names, count=300):
    expected = [f"{name} {n}" for name in names for n in range(count)]
    assert sorted(done.lines()) == sorted(expected)


@pytest.mark.parametrize("own", [True, False])
def test_forked_child_loses_nothing(folder, own):
    """Fault 14: a Process child logs as its parent does, or by a config of its own."""
    done = run(
        folder,
        MAIN
        + f"""
context = multiprocessing.get_context("fork")
if {not own}:
    logroute.configure("logging.json")
    log.info("main 0")
work_here = work_of_its_own if {own} else work
children = [context.Process(target=work_here, args=(name,)) for name in "abc"]
for child in children:
    child.start()
for child in children:
    child.join()
assert [child.exitcode for child in children] == [0, 0, 0]
""",
        options=("-W", "ignore"),
    )
    expected = [f"{name} {n}" for name in "abc" for n in range(300)]
    assert sorted(done.lines()) == sorted(expected + ["main 0"] * (not own))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_children_configure_themselves(folder, method):
    """Fault 15: in the target, in an initializer, or by LOGROUTE_CONFIG; each child drains."""
    done = run(
        folder,
        MAIN
        + f"""
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    child = context.Process(target=work_of_its_own, args=("target",))
    child.start()
    child.join()
    assert child.exitcode == 0
    start = dict(initializer=logroute.configure, initargs=("logging.json",))
    with context.Pool(1, **start) as pool:
        assert len(pool.map(task, range(0, 100), chunksize=1)) == 100
        pool.close()
        pool.join()
    start = dict(initializer=logroute.configure, mp_context=context)
    with ProcessPoolExecutor(1, **start) as pool:
        assert len(list(pool.map(task, range(100, 200)))) == 100
    assert logroute.current() is None
""",
        env={"LOGROUTE_CONFIG": "logging.json"},
        timeout_s=30,
        options=("-W", "ignore"),
    )
    expected = [f"target {n}" for n in range(300)] + [f"task {n}" for n in range(200)]
    assert sorted(done.lines()) == sorted(expected)


def test_spawned_child_runs_the_module_again(folder):
    """Fault 15: configure() at the top of the main module serves spawned children, too."""
    done = run(
        folder,
        MAIN
        + """
logroute.configure("logging.json")
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=work, args=("child",))
    child.start()
    child.join()
    work("parent")
""",
    )
    expect(done, "child", "parent")


@pytest.mark.parametrize("kind", ["Pool", "ProcessPoolExecutor"])
def test_forked_pool_loses_nothing(folder, kind):
    """Fault 14: the records of pool workers arrive when the pool is closed and joined."""
    done = run(
        folder,
        MAIN
        + f"""
logroute.configure("logging.json")
log.info("task 200")
context = multiprocessing.get_context("fork")
if "{kind}" == "Pool":
    with context.Pool(3) as pool:
        pids = pool.map(task, range(200), chunksize=1)
        pool.close()
        pool.join()
else:
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        pids = list(pool.map(task, range(200)))
assert os.getpid() not in pids
""",
        options=("-W", "ignore"),
    )
    expect(done, "task", count=201)
    assert not doubles(done.lines())


def test_terminated_pool_costs_what_waits(folder):
    """Fault 14: Pool.terminate, as the end of `with` does, kills: what tasks flushed is there."""
    done = run(
        folder,
        MAIN
        + """
logroute.configure("logging.json")
def careful(n):
    task(n)
    return logroute.flush(10)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map(careful, range(100), chunksize=1))
""",
        options=("-W", "ignore"),
    )
    expect(done, "task", count=100)
