"""`logroute schema`: the JSON Schema of the config language."""

import argparse
import sys

from logroute.config.describe import find_schema

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--path", action="store_true", help="print where the schema file is")


def run(options: argparse.Namespace) -> int:
    """Print the schema or its path."""
    path = find_schema()
    if options.path:
        print(path)
        return 0
    with open(path, encoding="utf-8") as file:
        sys.stdout.write(file.read())
    return 0
