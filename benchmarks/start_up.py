"""What `configure()` adds to the start of a program, beside yaml + dictConfig.

Each row is a whole process, started anew in every round, in shuffled order. The
figure is its CPU time (user + system); the ratio to ``CSafeLoader + dictConfig`` is
taken within each round. All but the file with routes say the same: four formatters,
six file handlers that open their files when they have something to write, 29
loggers and the root. Run it with ``python -m benchmarks.start_up``.
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
REFERENCE = "CSafeLoader + dictConfig"
LOGGERS = 29


def formatter_lines() -> list[str]:
    """Return the formatters that all files have."""
    return [f'  line{n}: {{format: "%(asctime)s {n} %(message)s"}}' for n in range(4)]


def stdlib_file(directory: Path) -> Path:
    """Write a dictConfig file of 100 lines."""
    lines = ["version: 1", "disable_existing_loggers: false", "formatters:"]
    lines += [*formatter_lines(), "handlers:"]
    for n in range(HANDLERS):
        lines += [f"  file{n}:", "    class: logging.FileHandler"]
        lines += [f"    filename: {directory}/{n}.log", f"    formatter: line{n % 4}"]
        lines += ["    delay: true"]
    lines += ["loggers:"]
    for n in range(LOGGERS):
        lines += [f"  app.part{n}:", "    level: WARNING"]
    lines += ["root:", "  level: INFO", "  handlers: [file0]"]
    return _written(directory / "stdlib.yaml", lines)


def same_file(directory: Path) -> Path:
    """Write in our language what `stdlib_file` says, part by part."""
    lines = ["version: 1", "formatters:", *formatter_lines(), "handlers:"]
    for n in range(HANDLERS):
        lines += [f"  file{n}:", "    type: file", f"    path: {directory}/{n}.log"]
        lines += [f"    formatter: line{n % 4}"]
    lines += ["loggers:"]
    for n in range(LOGGERS):
        lines += [f"  app.part{n}:", "    level: WARNING"]
    lines += ["root:", "  level: INFO", "  handlers: [file0]"]
    return _written(directory / "same.yaml", lines)


def routed_file(directory: Path) -> Path:
    """Write a file of 100 lines with 24 routes, which stdlib has no word for."""
    lines = ["version: 1", "formatters:", *formatter_lines(), "handlers:"]
    for n in range(HANDLERS):
        lines += [f"  file{n}:", "    type: file", f"    path: {directory}/{n}.log"]
        lines += [f"    formatter: line{n % 4}", "    level: DEBUG"]
    lines += ["loggers:"] + [f"  app.part{n}: WARNING" for n in range(LOGGERS)]
    lines += ["root: {level: INFO}", "routes:"]
    n = 0
    while len(lines) < 99:
        lines += [f"  - match: {{level: ERROR, logger: app.part{n}}}", f"    to: [file{n % 5}]"]
        n += 1
    return _written(directory / "routed.yaml", [*lines[:99], "  - {to: file5}"])


def anchored_file(directory: Path) -> Path:
    """Write what `same_file` says with an anchor, which only PyYAML reads."""
    text = same_file(directory).read_text()
    return _written(
        directory / "anchored.yaml", [text.replace("level: INFO", "level: &level INFO")]
    )


def _written(path: Path, lines: list[str]) -> Path:
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
        stdlib = str(stdlib_file(directory))
        make = "import logging.config, yaml\nlogging.config.dictConfig(yaml.load(open({!r}), {}))"
        configure = "import logroute; logroute.configure({!r})"
        cases = {
            "bare": "pass",
            "import logroute": "import logroute",
            REFERENCE: make.format(stdlib, "yaml.CSafeLoader"),
            "SafeLoader + dictConfig": make.format(stdlib, "yaml.SafeLoader"),
            "the same, our language": configure.format(str(same_file(directory))),
            "the same, dictConfig file": configure.format(stdlib),
            "24 routes": configure.format(str(routed_file(directory))),
            "the same, with an anchor": configure.format(str(anchored_file(directory))),
        }
        for code in cases.values():  # once unmeasured, to compile
            cpu_ms(code)
        times: dict[str, list[float]] = {case: [] for case in cases}
        for _ in range(rounds):
            for case in random.sample(list(cases), len(cases)):
                times[case].append(cpu_ms(cases[case]))
    print(f"{rounds} rounds, Python {sys.version.split()[0]}, CPU milliseconds of a whole process")
    print(f"{'':28} {'min':>6} {'median':>7} {'ratio of min':>13} {'median ratio':>13}")
    for case, values in times.items():
        reference = times[REFERENCE]
        ratios = [value / other for value, other in zip(values, reference, strict=True)]
        print(
            f"{case:28} {min(values):6.1f} {statistics.median(values):7.1f} "
            f"{min(values) / min(reference):13.2f} {statistics.median(ratios):13.2f}"
        )


if __name__ == "__main__":
    main()
