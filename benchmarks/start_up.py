"""What `configure()` adds to the start of a program, beside yaml + dictConfig.

Each row is a whole process, started anew in every round, in shuffled order. The
figure is CPU time (user + system) over that of a bare interpreter; the ratio is
taken within each round. Run it with ``python -m benchmarks.start_up``.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

#: Compiled modules are kept, as for any installed package.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
HANDLERS = 6
LOGGERS = 30


def logroute_file(directory: Path) -> Path:
    """Write a good file of 100 lines in our language."""
    lines = ["version: 1", "formatters:"]
    lines += [f'  line{n}: {{format: "%(asctime)s {n} %(message)s"}}' for n in range(4)]
    lines += ["handlers:"]
    for n in range(HANDLERS):
        lines += [f"  file{n}:", "    type: file", f"    path: {directory}/{n}.log"]
        lines += [f"    formatter: line{n % 4}", "    level: DEBUG"]
    lines += ["loggers:"] + [f"  app.part{n}: WARNING" for n in range(LOGGERS)]
    lines += ["root: {level: INFO}", "routes:"]
    n = 0
    while len(lines) < 99:
        lines += [f"  - match: {{level: ERROR, logger: app.part{n}}}", f"    to: [file{n % 5}]"]
        n += 1
    lines += ["  - {to: file5}"]
    path = directory / "logroute.yaml"
    path.write_text("\n".join(lines[:99] + lines[-1:]) + "\n")
    return path


def stdlib_file(directory: Path) -> Path:
    """Write a dictConfig file of 100 lines with as many handlers."""
    lines = ["version: 1", "disable_existing_loggers: false", "formatters:"]
    lines += [f'  line{n}: {{format: "%(asctime)s {n} %(message)s"}}' for n in range(4)]
    lines += ["handlers:"]
    for n in range(HANDLERS):
        lines += [f"  file{n}:", "    class: logging.FileHandler"]
        lines += [f"    filename: {directory}/{n}.log", f"    formatter: line{n % 4}"]
        lines += ["    delay: true"]
    lines += ["loggers:"]
    for n in range(29):
        lines += [f"  app.part{n}:", "    level: WARNING"]
    lines += ["root:", "  level: INFO", "  handlers: [file0]"]
    path = directory / "stdlib.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def cpu_ms(code: str) -> float:
    """Run `code` in a fresh interpreter; return its CPU time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ours, stdlib = logroute_file(directory), stdlib_file(directory)
        cases = {
            "bare": "pass",
            "import logroute": "import logroute",
            "safe_load + dictConfig": "import logging.config, yaml\n"
            f"logging.config.dictConfig(yaml.safe_load(open({str(stdlib)!r})))",
            "CSafeLoader + dictConfig": "import logging.config, yaml\n"
            f"logging.config.dictConfig(yaml.load(open({str(stdlib)!r}), yaml.CSafeLoader))",
            "configure, our language": f"import logroute; logroute.configure({str(ours)!r})",
            "configure, dictConfig file": f"import logroute; logroute.configure({str(stdlib)!r})",
        }
        for code in cases.values():  # once unmeasured, to compile
            cpu_ms(code)
        times: dict[str, list[float]] = {case: [] for case in cases}
        for _ in range(rounds):
            for case in random.sample(list(cases), len(cases)):
                times[case].append(cpu_ms(cases[case]))
    print(f"{rounds} rounds, Python {sys.version.split()[0]}, CPU milliseconds of a whole process")
    print(
        f"{'':28} {'min':>6} {'median':>7} {'over bare':>10} {'ratio to safe_load+dictConfig':>30}"
    )
    for case, values in times.items():
        over = [value - bare for value, bare in zip(values, times["bare"], strict=True)]
        reference = times["safe_load + dictConfig"]
        ratios = [value / other for value, other in zip(values, reference, strict=True)]
        print(
            f"{case:28} {min(values):6.1f} {statistics.median(values):7.1f} "
            f"{statistics.median(over):10.1f} {statistics.median(ratios):30.2f}"
        )


if __name__ == "__main__":
    main()
