"""What a first user of the check ran into: false alarms, echoes and cures that did not cure."""

import pytest

from logroute.config.load import load
from logroute.config.model import RouteSpec
from logroute.options import options_of

HEAD = "version: 1\ndisable_existing_loggers: false\n"
LINE = 'formatters: {line: {format: "%(asctime)s %(message)s"}}\n'
CONSOLE = "handlers:\n  console: {class: logging.StreamHandler, formatter: line}\n"


def check(text):
    """Return the findings of a config."""
    return load(text, environ={}, read_secrets=False, advise=True).diagnostics


def codes(text):
    """Return the codes of the findings above a remark."""
    return [item.code for item in check(text) if item.severity.value != "info"]


def test_rich_shows_a_date_of_its_own():
    """A handler of another package may use `datefmt` without `asctime`."""
    text = (
        HEAD + 'formatters: {rich: {format: "%(message)s", datefmt: "[%X]"}}\n'
        "handlers: {rich: {class: rich.logging.RichHandler, formatter: rich}}\n"
        "root: {level: INFO, handlers: [rich]}\n"
    )
    assert codes(text) == []


def test_fields_of_instrumentation_are_known():
    """OpenTelemetry gives its fields to every record, and is no cure of another name."""
    text = (
        HEAD + 'formatters: {line: {format: "%(otelTraceID)s %(trace_id)s %(message)s"}}\n'
        f"{CONSOLE}root: {{level: INFO, handlers: [console]}}\n"
    )
    (found,) = [item for item in check(text) if item.code == "LR401"]
    assert "trace_id" in found.message
    assert "otel" not in (found.help or "")


@pytest.mark.parametrize("key", ["propogate: no", 'propagate: "no"'])
def test_misspelt_propagate_is_told_once(key):
    """The record that comes twice is the consequence, not a second mistake."""
    text = (
        f"{HEAD}{LINE}{CONSOLE}loggers:\n  app: {{level: INFO, handlers: [console], {key}}}\n"
        "root: {level: INFO, handlers: [console]}\n"
    )
    assert len(codes(text)) == 1
    assert "LR306" not in codes(text)


def test_misspelt_handlers_use_a_handler():
    """What `handler:` of a logger names is not removed as unused."""
    text = f"{HEAD}{LINE}{CONSOLE}loggers: {{app: {{level: INFO, handler: [console]}}}}\n"
    assert codes(text) == ["LR901"]


def test_lost_indentation_is_told_once():
    """Options below an empty part are no parts, and no fix removes them."""
    text = (
        f"{HEAD}{LINE}{CONSOLE}  file:\n  class: logging.FileHandler\n  filename: /var/log/a.log\n"
        "root: {level: INFO, handlers: [console, file]}\n"
    )
    (found,) = [item for item in check(text) if item.severity.value != "info"]
    assert (found.code, found.span.line) == ("LR103", 6)
    assert found.help == "indent `class`, `filename` below, so that they are part of `file`"


def test_part_of_wrong_shape_is_not_unused():
    """A definition that is none is told as that, once."""
    text = f"{HEAD}{LINE}{CONSOLE}  d: type:console\nroot: {{level: INFO, handlers: [console]}}\n"
    assert codes(text) == ["LR103"]


def test_misspelt_key_is_not_missing_as_well():
    """`filename` of a file is the `path` that it lacks."""
    text = (
        "version: 1\nhandlers: {log: {type: file, filename: /var/log/a.log}}\n"
        "root: {level: INFO}\nroutes: [{to: log}]\n"
    )
    assert codes(text) == ["LR101"]


def test_number_of_backups_is_no_rotation():
    """`backupCount: 5` is not renamed to `rotate`, which wants a mapping."""
    text = (
        "version: 1\nhandlers: {log: {type: file, path: /var/log/a.log, backupCount: 5}}\n"
        "root: {level: INFO}\nroutes: [{to: log}]\n"
    )
    (found,) = check(text)
    assert (found.code, found.fix) == ("LR101", None)


@pytest.mark.parametrize(
    ("word", "cure"),
    [
        ("StreamHandler", "write `type: console`, or stdlib's `class: logging.StreamHandler`"),
        (
            "RotatingFileHandler",
            "write `type: file`, or stdlib's `class: logging.handlers.RotatingFileHandler`",
        ),
    ],
)
def test_class_as_type_is_understood(word, cure):
    """A class of the standard library as `type` has two right spellings."""
    text = f"version: 1\nhandlers: {{c: {{type: {word}}}}}\nroot: {{level: INFO, handlers: [c]}}\n"
    assert [item.help for item in check(text)] == [cure]


def test_kind_as_class_is_told():
    """`class: console` is a module to the standard library; `type: console` is meant."""
    text = f"{HEAD}handlers: {{c: {{class: console}}}}\nroot: {{level: INFO, handlers: [c]}}\n"
    assert [(item.code, item.help) for item in check(text)] == [
        ("LR906", "did you mean `type: console`?")
    ]


def test_open_variable_as_level_is_told_once():
    """A variable that is not set is no level; that is one finding."""
    text = f'{HEAD}{LINE}{CONSOLE}root: {{level: "${{LOG_LEVEL}}", handlers: [console]}}\n'
    assert codes(text) == ["LR301"]


def test_missing_root_level_is_told_once():
    """One `root:` is the cure of all routes that ask for lower levels."""
    text = (
        "version: 1\nhandlers: {a: {type: console}, b: {type: file, path: /var/log/b.log}}\n"
        "routes:\n  - {match: {level: INFO}, to: a}\n  - {match: {level: DEBUG}, to: b}\n"
    )
    (found,) = check(text)
    assert (found.code, found.help) == ("LR304", "add `root: {level: DEBUG}`")
    assert codes(f"{text}root: {{level: DEBUG}}\n") == []


def test_declared_level_is_no_unknown_one():
    """A level whose number is wrong is told there, not wherever it is used."""
    text = (
        'version: 1\nlevels: {TRACE: "5"}\nhandlers: {c: {type: console}}\n'
        "root: {level: TRACE}\nroutes: [{to: c}]\n"
    )
    assert codes(text) == ["LR103"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[loggers]\nkeys=root\n", "this is an INI file"),
        ("# settings\nLOGGING = {\n    'version': 1,\n}\n", "this is Python"),
    ],
)
def test_other_languages_are_named(text, message):
    """The INI of `fileConfig` and a settings module are told as what they are."""
    assert [item.message for item in check(text)] == [message]


@pytest.mark.parametrize("path", ["$LOG_DIR/app.log", "{{ LOG_DIR }}/app.log", "%LOG_DIR%/a.log"])
def test_variable_in_path_is_told(path):
    """What others write for variables is found in the middle of a path, too."""
    text = (
        f'version: 1\nhandlers: {{log: {{type: file, path: "/var/{path}"}}}}\n'
        "root: {level: INFO}\nroutes: [{to: log}]\n"
    )
    (found,) = check(text)
    assert (found.code, found.help) == ("LR611", "a variable is written `${LOG_DIR}`")


@pytest.mark.parametrize("path", ["/var/log/%Y%m%d.log", "/var/log/a$b.log", "/var/log/{x}.log"])
def test_odd_letters_in_paths_are_no_variables(path):
    """Signs that stand in names of files are left alone."""
    text = (
        f'version: 1\nhandlers: {{log: {{type: file, path: "{path}"}}}}\n'
        "root: {level: INFO}\nroutes: [{to: log}]\n"
    )
    assert codes(text) == []


@pytest.mark.parametrize(
    ("option", "cure"),
    [
        ("type: http, url: logs.example.org/in", 'write `url: "https://logs.example.org/in"`'),
        (
            'type: socket, tls: {}, address: "tcp://logs.example.org:9020"',
            'write `address: "logs.example.org:9020"`',
        ),
        ('type: datagram, address: "10.0.0.7"', "add the port"),
    ],
)
def test_address_is_written_out(option, cure):
    """The help says how the address is written."""
    text = (
        f"version: 1\nhandlers: {{it: {{{option}}}}}\nroot: {{level: INFO}}\nroutes: [{{to: it}}]\n"
    )
    assert [item.help for item in check(text)] == [cure]


def test_included_file_is_guessed_by_its_stem(tmp_path):
    """A file that shares only its suffix is not what was meant."""
    (tmp_path / "b19.yaml").write_text("version: 1\n")
    (tmp_path / "handlers.yaml").write_text("handlers: {}\n")
    main = tmp_path / "main.yaml"
    main.write_text("version: 1\ninclude: [bse.yaml, handlrs.yaml]\n")
    helps = [item.help for item in check(main) if item.code == "LR001"]
    assert helps[0] == "see whether the path is right"
    assert helps[1] is not None
    assert helps[1].endswith("handlers.yaml`?")


def test_fixes_of_a_misspelt_propagate_agree():
    """Applying all fixes leaves one `propagate`, not two."""
    text = (
        f"{HEAD}{LINE}{CONSOLE}loggers:\n  app: {{level: INFO, handlers: [console], "
        "propogate: false}\nroot: {level: INFO, handlers: [console]}\n"
    )
    edits = [edit for item in check(text) if item.fix for edit in item.fix.edits]
    assert [edit.text for edit in edits] == ["propagate"]


@pytest.mark.parametrize("time", ['"03:00"', "120"])
def test_text_for_a_time_is_told_once(time):
    """`atTime` needs an object; the rule of schedules leaves that to the one of objects."""
    text = (
        f"{HEAD}{LINE}handlers:\n  log: {{class: logging.handlers.TimedRotatingFileHandler, "
        f"filename: /var/log/a.log, when: midnight, atTime: {time}, formatter: line}}\n"
        "root: {level: INFO, handlers: [log]}\n"
    )
    assert codes(text) == ["LR908"]


def test_formatter_called_like_a_kind_is_defined_first():
    """`formatter: json` means the kind to many; the help says how it gets its name."""
    text = (
        "version: 1\nhandlers: {c: {type: console, formatter: json}}\n"
        "root: {level: INFO}\nroutes: [{to: c}]\n"
    )
    (found,) = check(text)
    assert found.help == "define it under `formatters`: `json: {type: json}`"
    assert codes(f"{text}formatters:\n  json: {{type: json}}\n") == []


@pytest.mark.parametrize("level", ["ERROR-INFO", "info to error"])
def test_range_with_a_dash_is_understood(level):
    """The help says how a range is written."""
    text = (
        "version: 1\nhandlers: {c: {type: console}}\nroot: {level: INFO}\n"
        f'routes: [{{to: c, match: {{level: "{level}"}}}}]\n'
    )
    (found,) = check(text)
    assert (found.help or "").casefold() == "write `info..error`"


def test_planned_option_is_told_once(monkeypatch):
    """What is not yet available is not judged as well."""
    monkeypatch.setattr(options_of(RouteSpec)["final"], "planned", True)
    text = (
        "version: 1\nhandlers: {log: {type: console}}\n"
        "root: {level: INFO}\nroutes: [{to: log, final: daily}]\n"
    )
    assert codes(text) == ["LR190"]


def test_timeout_names_its_two_parts():
    """One duration for `timeout` is written out."""
    text = (
        'version: 1\nhandlers: {s: {type: socket, tls: {}, address: "a.example.org:9020", '
        "timeout: 5s}}\nroot: {level: INFO}\nroutes: [{to: s}]\n"
    )
    (found,) = check(text)
    assert found.help == "write `timeout: {connect: 5s, send: 5s}`"
    assert codes(text.replace("timeout: 5s", "timeout: {connect: 5s, send: 5s}")) == []
