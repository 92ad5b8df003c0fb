"""CPython's own tests of dictConfig, with our dictConfig in its place."""

import json
import os
import subprocess
import sys

import pytest

_RUN = """
import json, logging.config, sys, unittest
if sys.argv[1] == "logroute":
    import logroute
    logging.config.dictConfig = logroute.dictConfig
from test.test_logging import ConfigDictTest
result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(ConfigDictTest).run(result)
print(json.dumps({
    "run": result.testsRun,
    "failed": sorted(str(t) for t, _ in result.failures + result.errors),
    "skipped": sorted(str(t) for t, _ in result.skipped),
}))
"""


def _results(which: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUN, which],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(240)
def test_stdlib_tests_pass_as_with_stdlib():
    """ConfigDictTest ends the same with logroute.dictConfig as with stdlib's."""
    ours, stdlib = _results("logroute"), _results("stdlib")
    assert ours == stdlib
    assert ours["run"] >= 30
    assert ours["failed"] == []
