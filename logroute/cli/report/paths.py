"""File names as machines want them: relative to a folder where they are in it."""

import os
from urllib.parse import quote

__all__ = ["page_of", "relative", "to_uri"]

#: Where the pages of the rules are published, as `docs/rules/` has them; empty: nowhere yet.
HOME = ""


def page_of(code: str) -> str | None:
    """Return the address of the manual page of a rule."""
    return f"{HOME}{code}.md" if HOME else None


def relative(name: str, folder: str | None = None) -> str:
    """Return `name` relative to `folder` (default: here) if it is in it, with slashes."""
    if name.startswith("<") or "\0" in name:
        return name
    folder = os.path.realpath(folder or os.curdir)
    path = os.path.abspath(name)
    path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    try:
        is_inside = os.path.commonpath((folder, path)) == folder
    except ValueError:  # another drive
        is_inside = False
    shown = os.path.relpath(path, folder) if is_inside else path
    return shown.replace(os.sep, "/")


def to_uri(name: str) -> str:
    """Return a URI reference for a file name; relative where the file is in here."""
    path = relative(name)
    if path.startswith("<"):
        return quote(path.strip("<>"))
    uri = quote(path.encode("utf-8", "surrogateescape"))
    return f"file://{uri}" if path.startswith("/") else uri
