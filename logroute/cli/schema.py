"""`logroute schema`: the JSON Schema of the config language."""

import argparse
import sys

from logroute.config.describe import find_schema, render

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--path", action="store_true", help="print where the schema file is")
    parser.add_argument(
        "--with-plugins",
        action="store_true",
        help="describe also the kinds that installed packages add",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write it to FILE")


def run(options: argparse.Namespace) -> int:
    """Print or write the schema (draft-07), or print the path of its file."""
    if options.path:
        print(find_schema())
        return 0
    text = render(with_plugins=True) if options.with_plugins else find_schema().read_text("utf-8")
    for why in _broken() if options.with_plugins else ():
        print(f"logroute schema: left out {why}", file=sys.stderr)
    if options.output is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as fault:
        print(f"logroute schema: cannot write {options.output}: {fault.strerror}", file=sys.stderr)
        return 2
    print(f"wrote {options.output}", file=sys.stderr)
    return 0


def _broken() -> list[str]:
    """Return the kinds of plug-ins that could not be loaded, and why."""
    from logroute.config.decode import FAMILIES

    return [
        f"{family} type `{name}`: {why}"
        for family, table in FAMILIES.items()
        for name, why in table.broken.items()
    ]
