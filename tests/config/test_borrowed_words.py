"""What people bring along from stdlib and other tools: the cure says how it is written here."""

import pytest

from logroute.config.borrowed import as_duration, as_size, as_truth
from logroute.config.load import load
from logroute.options import options_of
from logroute.sinks.file import FileSpec
from logroute.units import parse_duration, parse_size

LOG = "type: file, path: /var/log/app/app.log"
WEB = 'type: http, url: "https://logs.example.org/in"'


def findings(handler, *codes):
    """Return what is found of a handler in YAML."""
    text = f"version: 1\nhandlers:\n  it: {{{handler}}}\nroot: {{level: INFO, handlers: [it]}}\n"
    found = load(text, environ={}, read_secrets=False, advise=True).diagnostics
    return [item for item in found if item.code in (codes or ("LR101", "LR103", "LR106"))]


def cure(handler):
    """Return the help of the one finding, and what its fix writes and whether it is safe."""
    (found,) = findings(handler)
    fix = found.fix and ([edit.text for edit in found.fix.edits], found.fix.is_safe)
    return found.help, fix


# -- keys


@pytest.mark.parametrize(
    ("keys", "written"),
    [
        ("maxBytes: 10485760, backupCount: 5", "{size: 10MiB, keep: 5}"),
        ("maxBytes: 10000000", "{size: 10MB}"),
        ("maxBytes: 1234", "{size: 1234}"),
        ('maxBytes: "10485760"', "{size: 10MiB}"),
        ("max_bytes: 10MiB", "{size: 10MiB}"),
        ("when: midnight, backupCount: 7", "{every: midnight, keep: 7}"),
        ("when: H, interval: 6", "{every: 6h}"),
        ("when: D", "{every: day}"),
        ("when: W0", "{every: week}"),
        ("interval: 1", "{every: hour}"),
        ("backupCount: 5, gzip: true", "{keep: 5, compress: gzip}"),
    ],
)
def test_rotation_of_stdlib_is_converted(keys, written, monkeypatch):
    """All keys of stdlib's rotation are one finding, which says what they come to here."""
    monkeypatch.setattr(options_of(FileSpec)["rotate"], "planned", False)
    names = " and ".join(f"`{pair.split(':')[0].strip()}`" for pair in keys.split(","))
    assert cure(f"{LOG}, {keys}") == (f"write `rotate: {written}` in place of {names}", None)


@pytest.mark.parametrize("keys", ["maxBytes: 0", "maxBytes: [1]", "backupCount: none", "when: 7"])
def test_rotation_without_sense_is_not_invented(keys, monkeypatch):
    """What has no sensible value leads to the option, without a value for it."""
    monkeypatch.setattr(options_of(FileSpec)["rotate"], "planned", False)
    assert cure(f"{LOG}, {keys}")[0] == f"write `rotate` in place of `{keys.split(':')[0]}`"


@pytest.mark.parametrize(
    ("keys", "name"),
    [("maxBytes: 1000", "RotatingFileHandler"), ("when: D", "TimedRotatingFileHandler")],
)
def test_rotation_leads_to_what_rotates_now(keys, name, monkeypatch):
    """As long as `rotate` is not there, its cure is not the next error."""
    monkeypatch.setattr(options_of(FileSpec)["rotate"], "planned", True)
    told, _ = cure(f"{LOG}, {keys}")
    assert told.startswith(f"use `class: logging.handlers.{name}` until a version has `rotate: {{")


@pytest.mark.parametrize(("value", "word"), [("true", "gzip"), ("yes", "gzip"), ("false", "none")])
def test_gzip_is_spelt_as_a_choice(value, word):
    """`gzip: true` of a web service is `compress: gzip`, and the fix writes that."""
    assert cure(f"{WEB}, gzip: {value}") == (
        f"write `compress: {word}`",
        (["compress", word], True),
    )


def test_gzip_beside_compress_is_not_guessed():
    """Where the option is there already, nobody knows which of the two is meant."""
    told, fix = cure(f"{WEB}, gzip: true, compress: none")
    assert told.startswith("known here") and fix is None


# -- values


@pytest.mark.parametrize(("mode", "is_safe"), [("a", True), ("ab", True), ("w", False)])
def test_open_mode_is_not_the_permissions(mode, is_safe):
    """`mode: a` is what a file does anyway; `w` is what it never does."""
    told, fix = cure(f"{LOG}, mode: {mode}")
    assert told.endswith("`mode` is its permissions: remove it")
    assert fix == ([""], is_safe)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5 seconds", "5s"),
        ("5 sec", "5s"),
        ("1 minute", "1m"),
        ("1.5 Hours", "1.5h"),
        ("1 hour 30 min", "90m"),
        ("250 msec", "250ms"),
        ("2 weeks", "2w"),
        ("5", "5s"),
    ],
)
def test_written_out_duration_is_converted(text, meant):
    """A duration in words is told as the one that is read here, with its fix."""
    assert cure(f"{WEB}, batch: {{max_wait: '{text}'}}") == (
        f"write `max_wait: {meant}`",
        ([meant], True),
    )
    assert parse_duration(meant) > 0


@pytest.mark.parametrize("text", ["5M", "5 months", "-5 s", "soon", "5 s later", "", "5:00", "²s"])
def test_unclear_duration_is_not_guessed(text):
    """What may be something else gets no conversion."""
    assert as_duration(text) is None


@pytest.mark.parametrize(
    ("text", "meant", "is_safe"),
    [
        ("10 mb", "10MB", True),
        ("10mib", "10MiB", True),
        ("10 megabytes", "10MB", True),
        ("1000", "1000B", True),
        ("10k", "10KiB", False),
        ("10M", "10MiB", False),
    ],
)
def test_size_written_otherwise_is_converted(text, meant, is_safe):
    """A size with a unit of another tool is told as one of ours."""
    told = cure(f"type: console, queue: {{max_bytes: '{text}'}}")
    assert told == (f"write `max_bytes: {meant}`", ([meant], is_safe))
    assert parse_size(meant) > 0


@pytest.mark.parametrize("text", ["10 apples", "ten", "1e3", "10.5", "-1k", "10 MB more"])
def test_unclear_size_is_not_guessed(text):
    """What is no size gets no conversion."""
    assert as_size(text) is None


def test_share_is_no_size():
    """A percentage has nothing it could be a part of."""
    told, fix = cure("type: console, queue: {max_bytes: 10%}")
    assert told == "a share is no size: say how much it is, as in `10MiB`"
    assert fix is None


@pytest.mark.parametrize(
    ("handler", "word", "is_safe"),
    [
        ("type: console, color: no", "never", True),
        ("type: console, color: yes", "always", False),
        ("type: console, color: true", "always", False),
        ("type: console, color: 'off'", "never", True),
        (f"{WEB}, compress: yes", "gzip", True),
        (f"{WEB}, compress: true", "gzip", True),
        (f"{WEB}, compress: false", "none", True),
    ],
)
def test_truth_leads_to_its_choice(handler, word, is_safe):
    """Yes and no stand for one of the choices where just one can be meant."""
    assert cure(handler) == (f"did you mean `{word}`?", ([word], is_safe))


def test_truth_with_two_choices_is_not_guessed():
    """`security: yes` may be either of two."""
    mail = "type: email, host: smtp.example.org, from: a@example.org, to: [b@example.org]"
    assert cure(f"{mail}, security: yes") == (None, None)


@pytest.mark.parametrize(("value", "word"), [("1", "true"), ("y", "true"), ("n", "false")])
def test_truth_of_others_is_converted(value, word):
    """Where true or false is meant, `y` and `1` are told as that."""
    assert cure(f"{LOG}, create_dirs: {value}") == (f"write `create_dirs: {word}`", ([word], True))
    assert as_truth(value) is (word == "true")


def test_secret_value_is_not_converted():
    """A value that is never shown is not shown in a cure either."""
    mail = "type: email, host: smtp.example.org, from: a@example.org, to: [b@example.org]"
    for found in findings(f"{mail}, maxBytes: 5, password: [5 seconds]"):
        assert "5 seconds" not in f"{found.message}{found.help}"


# -- misspelt sections of a dictConfig file

SECTIONS = """version: 1
disable_existing_loggers: false
{formatters}:
  line: {{format: "%(asctime)s %(message)s"}}
{handlers}:
  console: {{class: logging.StreamHandler, formatter: line}}
  second: {{class: logging.StreamHandler, formatter: line, level: ERROR}}
loggers:
  app: {{handlers: [console, {used}], propagate: false}}
root: {{level: INFO, handlers: [console]}}
"""


def told(formatters="formatters", handlers="handlers", used="second", *, advise=True):
    """Return the findings above a remark of a file with such sections."""
    text = SECTIONS.format(formatters=formatters, handlers=handlers, used=used)
    found = load(text, environ={}, advise=advise).diagnostics
    return [item for item in found if item.severity.value != "info" and item.code != "LR306"]


@pytest.mark.parametrize("advise", [True, False])
@pytest.mark.parametrize("names", [{"formatters": "formater"}, {"handlers": "handler"}])
def test_misspelt_stdlib_section_is_one_error(names, advise):
    """The names that stand in it are explained by it; a start is refused all the same."""
    (found,) = told(**names, advise=advise)
    assert (found.code, found.severity.value) == ("LR201", "error")
    assert found.help == f"did you mean `{next(iter(names))}`?"
    assert found.span.line == (3 if "formatters" in names else 5)
    assert [edit.text for edit in found.fix.edits] == [next(iter(names))]
    assert "under" in found.message and found.related


def test_name_in_no_section_is_told_besides():
    """A misspelt section explains what stands in it, and nothing else."""
    found = told(handlers="handler", used="ghost")
    assert [(item.code, item.span.line) for item in found] == [("LR201", 5), ("LR201", 9)]
    assert found[1].message == "handler `ghost` is not defined"


def test_parts_beside_a_section_are_moved():
    """Where the section is there too, a second of its name would be another mistake."""
    text = SECTIONS.format(formatters="formatters", handlers="handler", used="second")
    text += "handlers:\n  third: {class: logging.StreamHandler}\n"
    found = [i for i in load(text, environ={}, advise=True).diagnostics if i.code == "LR201"]
    assert [(item.help, item.fix) for item in found] == [
        ("move what stands there to `handlers`", None)
    ]
