"""Whatever the file, a check ends soon, says what it found, and agrees with `configure`.

The laws are in `fuzz_laws.py`, what makes the files in `fuzz_input.py`. Seeds are
fixed, so that a failure can be repeated; ``python -m benchmarks.fuzz_check`` goes on
for as long as it is told.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_input import Sample, corpus, made
from fuzz_laws import Examiner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
#: CPU seconds of one step; the benchmark asks for one, on a quiet machine.
SLOW_S = 5
MOST_MB = 100

bounded = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def examiner(tmp_path_factory):
    """One for all tests: each sample is compared with the one before."""
    return Examiner(tmp_path_factory.mktemp("fuzz"), share=0.04)


@bounded
@given(st.binary(max_size=300), st.sampled_from(["yaml", "json", "toml"]))
def test_arbitrary_bytes_are_told(examiner, data, syntax):
    """No bytes make a check fail."""
    examiner.examine(Sample(data, syntax))


@bounded
@given(st.text(max_size=120), st.sampled_from(["yaml", "json", "toml"]))
def test_arbitrary_text_is_told(examiner, text, syntax):
    """No text does, whatever its letters."""
    examiner.examine(Sample(text.encode("utf-8", "surrogatepass"), syntax))


@pytest.mark.parametrize(
    ("kind", "count"), [("bytes", 40), ("text", 40), ("ours", 60), ("changed", 120)]
)
def test_seeded_files_keep_the_laws(examiner, kind, count):
    """Neither do our own keys with hostile values, nor real files with a few changes."""
    samples = corpus()
    for seed in range(count):
        try:
            examiner.examine(made(random.Random(seed), kind, samples))
        except Exception as fault:
            fault.add_note(f"python -m benchmarks.fuzz_check --kind {kind} --seed {seed}")
            raise
    slow = {step: took for step, (took, _) in examiner.worst.items() if took > SLOW_S}
    assert not slow


HOSTILE = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{n}: &{n} [{','.join([f'*{m}'] * 9)}]\n" for m, n in ("ab", "bc", "cd", "de")),
    "brackets": "[" * 1_000_000,
    "one long line": "version: 1\nhandlers: {"
    + ", ".join(f"h{n}: {{type: consol, levle: INFO, password: pass-{n}}}" for n in range(2000))
    + "}\n",
    "many names": "version: 1\nhandlers:\n"
    + "".join(f"  h{n}: {{type: console}}\n" for n in range(2000))
    + "routes:\n"
    + "".join(f"  - to: [hx-{n}]\n" for n in range(2000)),
    "many secrets": "version: 1\nhandlers:\n"
    + "".join(f"  h{n}: {{type: email, password: secret-{n}, to: x}}\n" for n in range(2000)),
    "many levels": "version: 1\nlevels:\n"
    + "".join(f"  LEVEL{n}: {n}\n" for n in range(2000))
    + "loggers:\n"
    + "".join(f"  a{n}: LEVELX{n}\n" for n in range(2000)),
    "many routes": "version: 1\nhandlers: {a: {type: console}}\nroutes:\n"
    + "".join(
        f"  - {{match: {{level: {n % 50}, logger: a.b{n % 90}}}, to: [a]}}\n" for n in range(2000)
    ),
    "long words": f"password: {'password: ' * 20_000}\n{'a' * 200_000}: 1\n",
    "garbage": "\x01\x80\ufffd" * 100_000,
}
CHILD = """
import resource, sys
from logroute.cli import main
code = main(["check", *sys.argv[1:]])
usage = resource.getrusage(resource.RUSAGE_SELF)
with open("/proc/self/status") as file:  # ru_maxrss is at least that of whoever started us
    (peak,) = [line.split()[1] for line in file if line.startswith("VmHWM")]
print(code, int(peak) / 1024, usage.ru_utime + usage.ru_stime, file=sys.stderr)
"""


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("format", ["text", "json"])
def test_hostile_files_cost_little(tmp_path, name, format):
    """Files made to be slow or large to check are neither, from the first byte to the last."""
    path = tmp_path / "hostile.yaml"
    path.write_text(HOSTILE[name])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "--format", format, str(path)],
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    code, megabytes, seconds = map(float, done.stderr.decode().splitlines()[-1].split())
    assert code in (0, 1)
    assert done.stdout
    assert megabytes < MOST_MB
    assert seconds < SLOW_S
