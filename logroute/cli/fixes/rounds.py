"""Rounds of fixes: what can be cured in a text, cured, until nothing more can be done.

What the fixes of one round do to a text is checked as a whole: it says what it said
but for the fixes (`config/edits.py`), the findings are gone, no new error came up,
and no safe fix changed where records go (`proof.py`). If not, the culprits are found
by halves and left out.
"""

from collections.abc import Callable, Sequence

from logroute.cli.fixes.proof import Proof
from logroute.config.edits import Changed, apply
from logroute.config.load import Loaded
from logroute.config.parse import parse
from logroute.config.source import Source
from logroute.config.textplaces import TextPlaces
from logroute.diagnostics import Diagnostic, Fix, Severity
from logroute.light import NamedTuple, Protocol

__all__ = ["Fixed", "Task", "fix_source"]

#: Most rounds; each one makes what the one before made possible.
MAX_ROUNDS = 10
#: Most readings of one file, the search for fixes that do harm included.
MAX_TRIALS = 200
#: Most profiles of a file under which a fix is tried.
MAX_PROFILES = 8


class Load(Protocol):
    """How a text is read and checked, under a profile; for errors alone without advice."""

    def __call__(self, source: Source, profile: str | None, *, advise: bool = True) -> Loaded:
        """Return what `source` reads as."""


#: Which findings of it count.
Select = Callable[[Source, Loaded], Sequence[Diagnostic]]


class Task(NamedTuple):
    """How files are fixed.

    Attributes:
        load: how a text is read and checked, under a profile.
        select: which findings are to be fixed; default: all.
        profile: the profile to look at; what is done has to be right under all others, too.
        is_unsafe: whether also fixes are made that may change where records go.
    """

    load: Load
    select: Select = lambda _, loaded: loaded.diagnostics
    profile: str | None = None
    is_unsafe: bool = False


class Fixed(NamedTuple):
    """What became of one text.

    Attributes:
        source: the text with all fixes that could be made.
        loaded: what it reads as now.
        cured: how many problems were fixed.
        unsafe: how many more `--unsafe-fixes` would fix.
        elsewhere: how many could be fixed in files that it includes.
    """

    source: Source
    loaded: Loaded
    cured: int
    unsafe: int
    elsewhere: int


def fix_source(source: Source, task: Task) -> Fixed:
    """Return `source` with its findings fixed, as far as that is certain."""
    work = _Work(source, task)
    for _ in range(MAX_ROUNDS):
        changes = [
            work.round(is_safe=True, is_error=True),
            work.round(is_safe=True, is_error=False),
            task.is_unsafe and work.round(is_safe=False, is_error=False),
        ]
        if not any(changes):
            break
    left = [item for item in task.select(work.source, work.loaded[0]) if item.fix is not None]
    here = [item for item in left if _is_here(item, source.name)]
    unsafe = 0 if task.is_unsafe else sum(not item.fix.is_safe for item in here if item.fix)
    return Fixed(work.source, work.loaded[0], work.cured, unsafe, len(left) - len(here))


def _is_here(item: Diagnostic, name: str) -> bool:
    return item.fix is not None and all(edit.span.file == name for edit in item.fix.edits)


class _Trial(NamedTuple):
    """A text after some fixes that did no harm."""

    changed: Changed
    loaded: list[Loaded]
    done: list[Diagnostic]


class _Work:
    """The text of one file on its way; `loaded` is what it reads as, by profile."""

    def __init__(self, source: Source, task: Task) -> None:
        self.source = source
        self._task = task
        self._profiles = _profiles(source, task.profile)
        self.loaded = [self._load(source, profile) for profile in self._profiles]
        self.cured = 0
        self._places: TextPlaces | None = None  # of the text as it is now
        self._trials = 0
        self._seen = {source.text}  # a text that comes again would come for ever
        self._refused: set[tuple[str, str, Fix | None]] = set()

    def _load(self, source: Source, profile: str | None) -> Loaded:
        """Read a text; of other profiles than the wanted one only the errors count."""
        return self._task.load(source, profile, advise=profile == self._profiles[0])

    def round(self, *, is_safe: bool, is_error: bool) -> bool:
        """Make all fixes of a kind that go together; return whether there was any."""
        batch = [
            item
            for item in self._task.select(self.source, self.loaded[0])
            if item.fix is not None
            and item.fix.is_safe is is_safe
            and (not is_safe or (item.severity is Severity.ERROR) is is_error)
            and _is_here(item, self.source.name)
            and (item.code, item.message, item.fix) not in self._refused
        ]
        if not batch:
            return False
        self._places = self._places or TextPlaces.of(self.source)
        best = self._grow(None, batch)
        if best is None:
            return False
        self._places = None
        self.source, self.loaded = best.changed.source, best.loaded
        self.cured += len(best.done)
        self._seen.add(self.source.text)
        self._refused.clear()  # what did harm before may do none now
        return True

    def _grow(self, base: _Trial | None, batch: Sequence[Diagnostic]) -> _Trial | None:
        """Return the largest trial that could be made of `base` and `batch`."""
        done = [] if base is None else base.done
        trial = self._try([*done, *batch])
        if trial is not None and len(trial.done) > len(done):
            return trial
        if len(batch) == 1 or self._trials >= MAX_TRIALS:
            self._refused |= {(item.code, item.message, item.fix) for item in batch}
            return base
        middle = len(batch) // 2
        return self._grow(self._grow(base, batch[:middle]), batch[middle:])

    def _try(self, items: Sequence[Diagnostic]) -> _Trial | None:
        """Return the text with the fixes of `items`; None where they do harm."""
        self._trials += 1
        made = [item.fix for item in items if item.fix is not None]
        changed = apply(self.source, made, self._places)
        if changed is None or changed.source.text in self._seen:
            return None
        done = [items[index] for index in changed.done]
        loaded: list[Loaded] = []
        for old, profile in zip(self.loaded, self._profiles, strict=True):
            new = self._load(changed.source, profile)
            proof = Proof(old, new, changed, self.source)
            if (not loaded and not proof.is_cured(done)) or not proof.is_harmless(done):
                return None
            loaded.append(new)
        return _Trial(changed, loaded, done)


def _profiles(source: Source, wanted: str | None) -> list[str | None]:
    """Return the profiles of a file, the wanted one first."""
    root, _ = parse(source)
    known = root.at(("profiles",)) if root is not None else None
    names = list(known.value) if known is not None and isinstance(known.value, dict) else []
    return list(dict.fromkeys([wanted, None, *names]))[:MAX_PROFILES]
