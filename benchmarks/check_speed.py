"""How long `logroute check` takes, beside two peers and `import yaml`.

Each row is a whole process, started anew in every round, in shuffled order; the
figures are wall times, and the ratio to ``python -c "import yaml"`` is taken within
each round. The peers are taken from the environment `--peers DIR` (``yamllint`` and
``check-jsonschema`` in its ``bin``), or left out. Run it with
``python -m benchmarks.check_speed``.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Compiled modules are kept, as for any installed package.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
SIZES = (100, 1_000, 10_000)
REFERENCE = 'python -c "import yaml"'


def good_lines(count: int) -> Iterator[str]:
    """Yield about `count` lines of a config without a finding."""
    parts = max(1, (count - 14) // 17)
    yield "version: 1"
    yield "formatters:"
    yield '  line: {format: "%(asctime)s %(levelname)s %(name)s %(message)s"}'
    yield "filters:"
    yield '  secrets: {type: redact, patterns: ["card=[0-9]+"]}'
    yield "handlers:"
    yield "  console: {type: console, formatter: line}"
    for n in range(parts):
        yield f"  file-{n}:  # of the team {n}"
        yield "    type: file"
        yield f"    path: /var/log/app/{n}.log"
        yield "    formatter: line"
        yield "    level: INFO"
        yield "    queue: {max_records: 5000}"
        yield f"  collector-{n}:"
        yield "    type: socket"
        yield f'    address: "c{n}.example.org:9020"'
        yield "    framing: newline"
        yield "    tls: {}"
    yield "loggers:"
    for n in range(parts):
        yield f"  app.part{n}: DEBUG"
    yield "root:"
    yield "  level: INFO"
    yield "  filters: [secrets]"
    yield "routes:"
    for n in range(parts):
        yield f"  - name: part {n}"
        yield f"    match: {{level: INFO, logger: app.part{n}}}"
        yield f"    to: [file-{n}]"
        yield f"  - match: {{level: ERROR, logger: app.part{n}}}"
        yield f"    to: [collector-{n}]"
    yield "  - {match: {level: WARNING}, to: [console]}"


def bad_lines(count: int) -> Iterator[str]:
    """Yield the same lines, about a tenth of which have a fault."""
    faults = {
        "    queue": ("max_records", "max_record"),
        "    framing": ("newline", "newlines"),
        "  app.": ("DEBUG", "DEBGU"),
        "    to: [f": ("file-", "fiel-"),
    }
    for line in good_lines(count):
        for start, (right, wrong) in faults.items():
            if line.startswith(start):
                line = line.replace(right, wrong)  # noqa: PLW2901
        yield line


def write_files(folder: Path) -> dict[str, Path]:
    """Write the configs to check; return them by what a row calls them."""
    files = {}
    for size in SIZES:
        for word, lines in (("good", good_lines(size)), ("bad", bad_lines(size))):
            path = folder / f"{word}{size}.yaml"
            path.write_text("\n".join(lines) + "\n")
            files[f"{size:,} lines, {word}"] = path
    return files


def commands(files: dict[str, Path], peers: Path | None) -> dict[str, list[str]]:
    """Return the command of each row."""
    rows = {
        "python -c pass": [sys.executable, "-c", "pass"],
        REFERENCE: [sys.executable, "-c", "import yaml"],
    }
    for words, path in files.items():
        rows[f"logroute check, {words}"] = [sys.executable, "-m", "logroute", "check", str(path)]
    schema = ROOT / "schemas/logroute.schema.json"
    tools: dict[str, list[str]] = {
        "yamllint": [],
        "check-jsonschema": ["--schemafile", str(schema)],
    }
    for tool, options in tools.items():
        program = None if peers is None else peers / "bin" / tool
        if program is None or not program.is_file():
            print(f"{tool}: left out; name an environment that has it with --peers DIR")
            continue
        for words, path in files.items():
            rows[f"{tool}, {words}"] = [str(program), *options, str(path)]
    return rows


def wall_ms(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall and CPU time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT)
    took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1) or b"Traceback" in done.stderr:
        raise SystemExit(f"{command} failed: {done.stderr.decode()[-500:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * took, 1000 * cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", type=Path, metavar="DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = commands(write_files(Path(name)), options.peers)
        for command in rows.values():  # once unmeasured, to compile
            wall_ms(command)
        times: dict[str, list[tuple[float, float]]] = {row: [] for row in rows}
        for _ in range(options.rounds):
            for row in random.sample(list(rows), len(rows)):
                times[row].append(wall_ms(rows[row]))
    print(f"\n{options.rounds} rounds, Python {sys.version.split()[0]}, milliseconds\n")
    print(f"| {'whole process':44} | median | worst | CPU | to `import yaml` |")
    print(f"| {'-' * 44} | -----: | ----: | --: | ---------------: |")
    for row, values in times.items():
        walls = [wall for wall, _ in values]
        cpu = statistics.median(used for _, used in values)
        ratios = [wall / base for wall, (base, _) in zip(walls, times[REFERENCE], strict=True)]
        print(
            f"| {row:44} | {statistics.median(walls):6.0f} | {max(walls):5.0f} | {cpu:3.0f} "
            f"| {statistics.median(ratios):15.2f}x |"
        )


if __name__ == "__main__":
    main()
