"""Answers of web services that take a batch in part.

Runs in the worker, and only where an answer says that items failed: status 207,
or a JSON object with `"errors": true`. The items are read as the bulk interfaces
of Elasticsearch, OpenSearch and their like write them: a list `items`, one entry
per item in the order of the request, each with a `status`, perhaps one level
down (`{"create": {"status": 429}}`).
"""

import json
import re

from logroute.light import Any, NamedTuple

__all__ = ["Items", "items_of"]

_ERRORS = re.compile(rb'"errors"\s*:\s*true')


class Items(NamedTuple):
    """What became of each item of a batch.

    Attributes:
        statuses: one per item; empty where the answer does not name them.
        reason: what was said of the first that failed.
    """

    statuses: tuple[int, ...]
    reason: str


def items_of(status: int, body: bytes, count: int) -> Items | None:
    """Return what an answer of status 2xx says of `count` items; None: all are taken."""
    if status != 207 and not _ERRORS.search(body):
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Items((), "")
    if status != 207 and not (isinstance(said, dict) and said.get("errors") is True):
        return None  # the words stand deeper in it
    entries = said.get("items") if isinstance(said, dict) else said
    if not isinstance(entries, list) or len(entries) != count:
        return Items((), "")
    results = [_result(entry) for entry in entries]
    statuses = tuple([_status(result) for result in results])
    if not all(statuses):
        return Items((), "")
    bad = next((index for index, code in enumerate(statuses) if not 200 <= code < 300), None)
    return None if bad is None else Items(statuses, _reason(results[bad]))


def _result(entry: Any) -> Any:
    if isinstance(entry, dict) and "status" not in entry and len(entry) == 1:
        return next(iter(entry.values()))
    return entry


def _status(result: Any) -> int:
    code = result.get("status") if isinstance(result, dict) else None
    return code if isinstance(code, int) and 100 <= code <= 599 else 0


def _reason(result: dict[str, Any]) -> str:
    fault = result.get("error", "")
    if isinstance(fault, dict):
        fault = f"{fault.get('type', '')}: {fault.get('reason', '')}".strip(": ")
    return fault if isinstance(fault, str) else ""
