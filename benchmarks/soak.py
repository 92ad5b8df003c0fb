"""The conservation test for as long as one likes, each run with a new seed.

Run it with ``make soak`` or ``PYTHONPATH=tests/kits python -m benchmarks.soak --minutes
10``; ``--seed 123 --seconds 20`` repeats a run that failed.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kits"))

from soak_kit import Reckoning, soak


def main() -> int:
    """Run until the time is over or a law is broken; return 1 if one is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="this run only")
    parser.add_argument("--seconds", type=float, help="of each run; default: 1 to 20")
    options = parser.parse_args()
    until = time.monotonic() + options.minutes * 60
    runs = records = 0
    while True:
        seed = random.randrange(1 << 32) if options.seed is None else options.seed
        seconds = options.seconds or random.Random(seed).choice([1, 2, 5, 20])
        kept: list[Reckoning] = []
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        faults = soak(folder, seed, seconds, keep=kept.append)
        if faults:
            print(f"seed {seed}, {seconds:g} s; what it left is in {folder}")
            print("\n".join([*faults, *map(str, kept)]))
            return 1
        shutil.rmtree(folder)
        runs, records = runs + 1, records + len(kept[0].sent)
        print(
            f"seed {seed}: {len(kept[0].sent)} records, {len(kept[0].told)} processes", flush=True
        )
        if options.seed is not None or time.monotonic() > until:
            print(f"{runs} runs, {records} records, all accounted for")
            return 0


if __name__ == "__main__":
    sys.exit(main())
