"""Looks for configs that `logroute check` chokes on, as long as it is told to.

Each round makes a config from a seed (random bytes and text, YAML of our own keys with
hostile values, samples with a few changes) and asserts what must hold of any file; see
``tests/kits/fuzz_laws.py``. A failure is cut down to few lines and printed with its seed;
the exit code is 1 then. Run it with ``python -m benchmarks.fuzz_check --seconds N``, or
with ``--atheris`` where that is installed, to be led by the coverage of the code.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/kits"))

#: No sample may take longer, in CPU seconds, for any one step.
LIMIT_S = 1.0
# attempts at cutting one failure down
TRIALS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument(
        "--kind", choices=["any", "bytes", "text", "ours", "changed"], default="any"
    )
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.atheris:
            with_atheris(Path(name), options.seconds)
        sys.exit(by_seeds(Path(name), options))


def by_seeds(folder: Path, options: argparse.Namespace) -> int:
    """Try one seed after the other; return how many kinds of failures there were, 0 or 1."""
    from fuzz_input import corpus, made
    from fuzz_laws import Examiner

    examiner, samples = Examiner(folder), corpus()
    failures: dict[str, int] = {}
    end, seed = time.monotonic() + options.seconds, options.seed
    while time.monotonic() < end:
        sample = made(random.Random(seed), options.kind, samples)
        try:
            examiner.examine(sample)
        except Exception as fault:
            place = where(fault)
            failures[place] = failures.get(place, 0) + 1
            if failures[place] == 1:
                tell(fault, seed, shorten(examiner, sample, place))
        seed += 1
    print(f"{seed - options.seed} samples, {examiner.configs} of them good configs")
    print(f"{sum(examiner.seen.values())} findings of {len(examiner.seen)} codes")
    for step, (took, sample) in sorted(examiner.worst.items()):
        print(f"{step}: {took:.3f} s at most ({len(sample.data)} bytes, {sample.made})")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
    slow = [step for step, (took, _) in examiner.worst.items() if took > LIMIT_S]
    for place, count in failures.items():
        print(f"FAILED {count} times: {place}")
    for step in slow:
        print(f"SLOW: {step}\n{examiner.worst[step][1].data.decode('utf-8', 'replace')[:2000]}")
    return int(bool(failures or slow))


def where(fault: Exception) -> str:
    """Return what tells this failure from others: its type and the place it came from."""
    frames = traceback.extract_tb(fault.__traceback__)
    ours = [frame for frame in frames if "/logroute/" in frame.filename]
    last = frames[-1] if isinstance(fault, AssertionError) or not ours else ours[-1]
    return f"{type(fault).__name__} in {Path(last.filename).name}:{last.lineno}"


def tell(fault: Exception, seed: int, data: bytes) -> None:
    print(f"--- seed {seed}: {where(fault)}")
    print("".join(traceback.format_exception(fault))[-1500:])
    print(data.decode("utf-8", "backslashreplace"), flush=True)


def shorten(examiner, sample, place: str) -> bytes:
    """Return as few lines of a sample as still fail at the same place."""

    def fails(lines: list[bytes]) -> bool:
        try:
            examiner.examine(sample._replace(data=b"\n".join(lines)))
        except Exception as fault:
            return where(fault) == place
        return False

    lines, trials = sample.data.split(b"\n"), 0
    size = max(1, len(lines) // 2)
    while size and trials < TRIALS:
        at = 0
        while at < len(lines) and trials < TRIALS:
            trials += 1
            fewer = lines[:at] + lines[at + size :]
            if fails(fewer):
                lines = fewer
            else:
                at += size
        size //= 2
    return b"\n".join(lines)


def with_atheris(folder: Path, seconds: float) -> None:
    """Let libFuzzer choose the bytes; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["logroute"]):
        from fuzz_input import Sample, corpus
        from fuzz_laws import Examiner
    examiner = Examiner(folder, share=0.1)
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, sample in enumerate(corpus()):
        if len(sample.data) < 4000:
            (seeds / str(number)).write_bytes(sample.data)

    def examine(data: bytes) -> None:
        examiner.examine(Sample(data, "json" if data[:1] == b"{" else "yaml"))

    one: Callable[[bytes], None] = examine
    limits = ["-max_len=4000", "-timeout=10", "-rss_limit_mb=600", "-print_final_stats=1"]
    known = folder / "words"
    known.write_text("".join(f'"{word}"\n' for word in words()))
    limits += [f"-max_total_time={int(seconds)}", f"-dict={known}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *limits, str(seeds)], one)
    atheris.Fuzz()


def words() -> list[str]:
    """Return keys and values that mean something in a config."""
    from fuzz_input import KEYS, SCALARS

    known = [*KEYS, *(value for value in SCALARS if isinstance(value, str))]
    short = (word for word in known if word.isascii() and 1 < len(word) < 30)
    return sorted({word for word in short if word.isprintable() and not set(word) & set('"\\\\')})


if __name__ == "__main__":
    main()
