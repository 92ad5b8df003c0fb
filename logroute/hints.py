"""Did-you-mean: the likeliest intended name, from the names that fit the place.

The order is: a table of known synonyms, the same letters in another case or
with other separators, a small edit distance, and last difflib.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

__all__ = ["LEVEL_SYNONYMS", "OPTION_SYNONYMS", "distance", "nearest", "suggest"]

# each name that is compared costs microseconds, and a hostile file has thousands
_MOST_NAMES = 200

LEVEL_SYNONYMS: Mapping[str, str] = {
    "err": "ERROR",
    "eror": "ERROR",
    "crit": "CRITICAL",
    "emerg": "CRITICAL",
    "alert": "CRITICAL",
    "panic": "CRITICAL",
    "wrn": "WARNING",
    "dbg": "DEBUG",
    "inf": "INFO",
    "notice": "INFO",
    "information": "INFO",
    "trace": "DEBUG",
    "verbose": "DEBUG",
    "all": "NOTSET",
}

OPTION_SYNONYMS: Mapping[str, str] = {
    "lvl": "level",
    "severity": "level",
    "loglevel": "level",
    "fmt": "format",
    "dateformat": "datefmt",
    "date_format": "datefmt",
    "filename": "path",
    "file": "path",
    "mailhost": "host",
    "server": "host",
    "fromaddr": "from",
    "sender": "from",
    "toaddrs": "to",
    "recipients": "to",
    "handlers": "to",
    "handler": "to",
    "when": "match",
    "if": "match",
    "stop": "final",
    "pattern": "message",
    "regex": "message",
    "name": "logger",
    "credentials": "password",
    "user": "username",
    "class": "type",
    "kind": "type",
    "size": "max_bytes",
    "maxbytes": "max_bytes",
    "capacity": "max_records",
    "backupcount": "rotate",
    "retries": "retry",
    "ssl": "tls",
    "verify_ssl": "verify",
    "token": "bearer",
    "key": "key_file",
    "keyfile": "key_file",
    "cert": "cert_file",
    "certfile": "cert_file",
    "ca": "ca_file",
    "cacert": "ca_file",
    "ca_certs": "ca_file",
    "msg": "message",
    "propogate": "propagate",
    "formater": "formatter",
    "lvel": "level",
}


def _fold(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


def nearest(
    word: str, candidates: Iterable[str], synonyms: Mapping[str, str] | None = None
) -> str | None:
    """Return the candidate that `word` was most likely meant to be, or None."""
    if not word or len(word) > 100:  # no name of anything, or slow to compare
        return None
    names = [name for name in islice(candidates, _MOST_NAMES) if name != word]
    meant = (synonyms or {}).get(word.casefold())
    if meant in names:
        return meant
    folded = {_fold(name): name for name in reversed(names)}
    if _fold(word) in folded:
        return folded[_fold(word)]
    limit = max(1, len(word) // 3)
    near: list[tuple[int, str]] = []
    wanted = _fold(word)
    letters = set(wanted)
    for key, name in folded.items():
        if len(letters.difference(key)) > limit:  # each of them takes an edit
            continue
        far = distance(wanted, key, limit)
        if far <= limit:
            near.append((far, name))
            limit = far  # nobody asks for what is farther
    if near:
        return min(near)[1]
    import difflib  # only on the error path

    close = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=0.75)
    return folded[close[0]] if close else None


def suggest(
    word: str, candidates: Iterable[str], synonyms: Mapping[str, str] | None = None
) -> str | None:
    """Return ``did you mean `x`?``, or the list of names where it is short."""
    names = sorted(candidates)
    best = nearest(word, names, synonyms)
    if best is not None:
        return f"did you mean `{best}`?"
    if not names:
        return None
    shown = ", ".join(f"`{name}`" for name in names[:12])
    return f"known here: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def distance(left: str, right: str, limit: int) -> int:
    """Return how many single-letter edits and swaps make one word the other; stop above `limit`."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    start = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        start += 1
    end = 0
    for a, b in zip(reversed(left[start:]), reversed(right[start:]), strict=False):
        if a != b:
            break
        end += 1
    left, right = left[start : len(left) - end], right[start : len(right) - end]
    if not left or not right:
        return min(len(left) + len(right), limit + 1)
    before: list[int] = []
    row = list(range(len(right) + 1))
    far = limit + 1
    for i, a in enumerate(left, 1):
        # only cells near the diagonal can stay within the limit
        low, high = max(1, i - limit), min(len(right), i + limit)
        above, before = before, row
        row = [far] * (len(right) + 1)
        row[0] = i
        for j in range(low, high + 1):
            b = right[j - 1]
            cost = before[j - 1]
            if a != b:
                cost = 1 + min(before[j], row[j - 1], cost)
                if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                    cost = min(cost, above[j - 2] + 1)
            row[j] = cost
        # a swap reaches back two rows, at the cost of one
        if min(row) > limit and min(before) >= limit:
            return far
    return min(row[-1], far)
