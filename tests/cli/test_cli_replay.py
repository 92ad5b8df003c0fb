"""`logroute explain --from-log`: the counts of many records at once."""

import gzip
import json
import logging
import sys

import jsonschema
import pytest
from cli_kit import ROOT, logroute

from logroute.app.explain import Explainer
from logroute.cli.replays.loglines import LogReader, is_log_level
from logroute.cli.replays.replay import Replay
from logroute.config.load import load
from logroute.formatters import KINDS
from logroute.levels import Levels

SCHEMA = json.loads((ROOT / "schemas/explain.schema.json").read_text())
CONFIG = """version: 1
handlers:
  mail: {type: email, host: h.example, from: a@x.example, to: b@x.example}
  file: {type: file, path: app.log}
  big: {type: file, path: big.log, level: CRITICAL}
root: {level: INFO}
routes:
  - {match: {logger: app.health}, to: [], final: true}
  - {match: {exception: KeyError}, to: mail}
  - {match: {level: ERROR, logger: x}, to: big}
  - {match: {fields: {tenant: 3}}, to: file}
  - {match: {logger: app}, to: file}
"""
LOG = """2026-05-01 12:00:00,000 INFO     app.db: one
2026-05-01 12:00:00,000 DEBUG    app.db: too low
2026-05-01 12:00:00,000 INFO     app.health: silence
2026-05-01 12:00:00,000 ERROR    app.db: broken
Traceback (most recent call last):
  File "x.py", line 3, in f
KeyError: 'tenant'
what is this
2026-05-01 12:00:00,000 ERROR    x: kept out
2026-05-01 12:00:00,000 WARNING  y: to stderr
2026-05-01 12:00:00,000 INFO     y: to nobody
"""


def entries(lines, pattern=None):
    reader = LogReader(pattern)
    raw = [line.encode() for line in lines]
    return reader, list(reader.read(raw, is_log_level(Levels())))


def parts(entry):
    return entry.logger, Levels().number(entry.level), entry.message, entry.exception_name()


def test_text_log_is_counted_by_handler(tmp_path):
    """Each record is counted where it goes, or why it goes nowhere; no line is passed over."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "app.log").write_text(LOG)
    code, out, _ = logroute("explain", "c.yaml", "--from-log", "app.log", cwd=tmp_path)
    assert code == 0
    assert out.splitlines() == [
        "app.log  11 lines, 7 records",
        "3 lines of tracebacks, which belong to records",
        "1 line could not be read (line 8)",
        "handler  records   size  INFO  ERROR",
        "mail           1  130 B     0      1",
        "file           2  175 B     1      1",
        "big            0    0 B     0      0",
        "1 below the level of their logger",
        "1 silenced by a route to nothing",
        "1 kept out by level or filter of every handler",
        "1 wanted by no route",
        "1 wanted by no route, shown on stderr",
    ]


def test_json_report_follows_its_schema(tmp_path):
    """The counts as JSON, from compressed JSON lines, are valid and add up."""
    lines = [{"level": "error", "logger": "app", "message": "m", "tenant": n} for n in range(5)]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (tmp_path / "log.gz").write_bytes(gzip.compress(data))
    (tmp_path / "c.yaml").write_text(CONFIG)
    arguments = ("explain", "c.yaml", "--format", "json")
    _, out, _ = logroute(*arguments, "--from-log", "log.gz", cwd=tmp_path)
    document = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert document["handlers"]["file"] == {
        "records": 5,
        "bytes": len(data),
        "levels": {"ERROR": 5},
        "filtered": {},
    }
    _, piped, _ = logroute(*arguments, "--stdin-jsonl", stdin=data, cwd=tmp_path)
    assert json.loads(piped)["handlers"] == document["handlers"]


def test_faults_of_a_replay_are_told(tmp_path):
    """A log that is not there, a wrong pattern and mixed options end with 2."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    for arguments, told in (
        (("--from-log", "none.log"), "cannot read `none.log`: No such file"),
        (("--from-log", "c.yaml", "--pattern", "("), "is not a regular expression"),
        (("--from-log", "c.yaml", "--pattern", "x"), "needs a group `(?P<level>...)`"),
        (("--from-log", "c.yaml", "--level", "INFO"), "--level is about one record"),
        (("--from-log", "c.yaml", "--stdin-jsonl"), "name one log"),
    ):
        code, _, err = logroute("explain", "c.yaml", *arguments, cwd=tmp_path)
        assert (code, told in err) == (2, True), err
    code, _, err = logroute("explain", "-", "--stdin-jsonl", stdin=CONFIG.encode())
    assert (code, "cannot be both" in err) == (2, True)


@pytest.mark.parametrize("kind", ["text", "json", "ecs", "gelf", "logfmt"])
def test_own_formatters_are_read_back(kind):
    """What our formatters write gives logger, level, message, fields and exception again."""
    record = logging.LogRecord("app.db", 40, "p.py", 3, 'a "b" c=%d', (4,), None)
    record.tenant = 3
    try:
        raise KeyError("x")
    except KeyError:
        record.exc_info = sys.exc_info()
    text = KINDS.get(kind)().formatter().format(record)
    reader, (entry,) = entries(text.splitlines(keepends=True))
    logger, level, message, exception = parts(entry)
    assert (logger, level, exception, reader.unread) == ("app.db", 40, "KeyError", 0)
    assert message.startswith('a "b" c=4')
    assert kind == "text" or entry.fields()["tenant"] == 3


@pytest.mark.parametrize(
    "line",
    [
        "2026-05-01 12:00:00,123 - app.db - ERROR - a message",
        "ERROR:app.db:a message",
        "[2026-05-01 12:00:00] [ERROR] [app.db] a message",
        "2026-05-01T12:00:00.5Z ERROR app.db: a message",
        '{"severity": "ERROR", "name": "app.db", "msg": "a message"}',
        '{"log": {"level": "error", "logger": "app.db"}, "message": "a message"}',
    ],
)
def test_usual_layouts_are_read(line):
    """The layouts that most programs use need no pattern."""
    _, found = entries([line])
    assert [parts(entry) for entry in found] == [("app.db", 40, "a message", None)]


def test_pattern_reads_any_layout():
    """Groups of --pattern are the parts of a record; others are fields."""
    pattern = r"^(?P<level>\w+)\|(?P<tenant>\w+)\|(?P<logger>\S+) (?P<message>.*)"
    reader, (entry,) = entries(["error|acme|app.db a message", "nonsense"], pattern)
    assert parts(entry) == ("app.db", 40, "a message", None)
    assert (entry.fields(), reader.unread_at) == ({"tenant": "acme"}, [2])


def test_lines_without_a_level_are_unread():
    """JSON that is no record, unknown levels and broken text are counted, not guessed."""
    lines = ["{}", "{", "[1]", '{"level": "LOUD"}', '{"level": true}', "\xff\n", "plain words", ""]
    reader, found = entries(lines)
    assert (found, reader.unread, reader.lines) == ([], 7, 8)


def test_throttle_goes_by_the_time_of_the_log():
    """A throttle counts by the stamps in the log, so that a replay shows what it saves."""
    text = CONFIG + "filters: {slow: {type: throttle, limit: 1, per: 10s}}\n"
    text = text.replace("path: app.log}", "path: app.log, filters: slow}")
    lines = [f"2026-05-01 12:00:{second:02d},000 INFO app: m" for second in range(60)]
    replay = Replay(Explainer(load(text)))
    replay.run(entries(lines)[1])
    assert replay.handlers["file"].records == 6
    assert replay.handlers["file"].filtered == {"slow": 54}


def test_counts_agree_with_explaining_each(tmp_path):
    """Memoised counting gives what asking for every single record gives."""
    explainer = Explainer(load(CONFIG))
    names, levels = ("app", "app.health.x", "x", "y", "root"), ("DEBUG", "INFO", "ERROR")
    lines = [
        json.dumps({"level": level, "logger": name, "message": "m", "tenant": tenant})
        for name in names
        for level in levels
        for tenant in (1, 3)
    ]
    replay = Replay(Explainer(load(CONFIG)))
    found = entries(lines)[1]
    replay.run(found)
    expected = dict.fromkeys(explainer.config.handlers, 0)
    for entry in found:
        record = logging.LogRecord(
            entry.logger, Levels().number(entry.level), "", 0, "m", None, None
        )
        record.__dict__.update(entry.fields())
        for name in explainer.explain(record).reaches:
            expected[name] += 1
    assert {name: tally.records for name, tally in replay.handlers.items()} == expected
    assert sum(replay.nowhere.values()) + sum(expected.values()) >= len(lines)
