"""One run of one variant in a process of its own; prints its figures as JSON.

``python -m benchmarks.one MEASURE VARIANT SIZE``
"""

import json
import os
import sys

from benchmarks.measures import MEASURES
from benchmarks.peers import VARIANTS


def main() -> None:
    """Run it."""
    measure, variant, size = sys.argv[1:]
    if variant in VARIANTS:
        VARIANTS[variant].prepare()
    figures = MEASURES[measure].measure(variant, int(size))
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}), flush=True)
    os._exit(0)  # what a dead destination leaves behind is no business of this run


if __name__ == "__main__":
    main()
