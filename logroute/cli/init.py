"""`logroute init`: a first config to start from, never over an existing file."""

import argparse
import os
import sys
from pathlib import Path

__all__ = ["PROFILES", "add_arguments", "run", "template"]

#: What `--profile` knows, and what it is for; the texts are in `templates/`.
PROFILES = {
    "script": "a script or small program: screen and file",
    "web": "a web service in a container: JSON lines on standard output",
    "django": "a Django project",
    "fastapi": "a FastAPI or Starlette service under uvicorn",
    "celery": "Celery workers",
}
_SCHEMA = "logroute.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "file", nargs="?", default="logging.yaml", metavar="FILE", help="default: logging.yaml"
    )
    parser.add_argument(
        "--profile",
        choices=list(PROFILES),
        default="script",
        help="; ".join(f"{name}: {what}" for name, what in PROFILES.items()),
    )
    parser.add_argument(
        "--with-schema",
        action="store_true",
        help=f"write {_SCHEMA} beside it, for completion in editors",
    )


def run(options: argparse.Namespace) -> int:
    """Write the config (to standard output for ``-``); 2 where a file is in the way."""
    text = template(options.profile, os.path.basename(options.file))
    if options.file == "-":
        sys.stdout.write(text)
        return 0
    directory = os.path.dirname(options.file)
    schema = os.path.join(directory, _SCHEMA)
    if options.with_schema:
        text = f"# yaml-language-server: $schema={_SCHEMA}\n{text}"
    in_the_way = options.file
    try:
        _write_new(options.file, text)
        if options.with_schema and not os.path.exists(schema):  # it may be an edited one
            from logroute.config.describe import find_schema

            in_the_way = schema
            _write_new(schema, find_schema().read_text("utf-8"))
    except FileExistsError:
        print(f"logroute init: {in_the_way} exists already; nothing was written", file=sys.stderr)
        return 2
    except OSError as fault:
        print(f"logroute init: cannot write {in_the_way}: {fault.strerror}", file=sys.stderr)
        return 2
    print(f"wrote {options.file}; its first lines say how to load, check and try it")
    return 0


def template(profile: str, name: str) -> str:
    """Return the config of a profile, its hints naming the file `name`."""
    path = Path(__file__).resolve().parent / "templates" / f"{profile}.yaml"
    shown = "logging.yaml" if name == "-" else name
    return path.read_text("utf-8").replace("logging.yaml", shown)


def _write_new(path: str, text: str) -> None:
    """Write a file that must not exist, nor be a link."""
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
