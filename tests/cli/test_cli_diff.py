"""`logroute diff`: what it says changes, against what records do."""

import json

import jsonschema
import pytest
from cli_kit import ROOT, logroute
from hypothesis import given, settings
from hypothesis import strategies as st

from logroute.cli.diffs import STDERR
from logroute.cli.diffs.options import PartsOf
from logroute.cli.diffs.routing import compare_routing
from logroute.config.flow import effective_level, route_table
from logroute.config.load import load
from logroute.levels import Levels

OLD = """\
version: 1
handlers:
  console: {type: console}
  log-file: {type: file, path: /var/log/app.log}
  ops-mail:
    type: email
    host: smtp.example.org
    from: app@example.org
    to: ops@example.org
    username: app
    password: hunter2
root: {level: INFO}
loggers: {app: DEBUG}
routes:
  - {match: {level: ERROR}, to: ops-mail}
  - {to: [console, log-file]}
"""


def diff(tmp_path, old, new, *options):
    (tmp_path / "old.yaml").write_text(old)
    (tmp_path / "new.yaml").write_text(new)
    return logroute("diff", "old.yaml", "new.yaml", *options, cwd=tmp_path)


def lines(tmp_path, change, becomes, old=OLD):
    """Return the lines about what comes of one replacement."""
    assert change in old
    code, out, err = diff(tmp_path, old, old.replace(change, becomes))
    assert (code, err) == (0, "")
    return out.splitlines()


def test_equal_files_change_nothing(tmp_path):
    """Another spelling of the same config is no change."""
    code, out, _ = diff(tmp_path, OLD, "# new\n" + OLD.replace("to: ops-mail", "to: [ops-mail]"))
    assert code == 0
    assert out == "nothing changed: routing is the same, and so are all parts\n"


def test_wider_route_is_told_by_band(tmp_path):
    """Only the levels that go elsewhere now are named."""
    assert lines(tmp_path, "level: ERROR}", "level: WARNING}") == [
        "routing",
        "  every logger, WARNING: +ops-mail",
    ]


def test_route_for_a_logger_names_it_once(tmp_path):
    """A logger stands for all below it; adjacent bands are one."""
    routes = "routes:\n  - {match: {logger: app.billing}, to: [], final: true}\n"
    assert lines(tmp_path, "routes:\n", routes) == [
        "routing",
        "  app.billing and below, DEBUG and above: -console -log-file",
        "  app.billing and below, ERROR and above: -ops-mail",
    ]


def test_exceptions_are_named(tmp_path):
    """Loggers that a change leaves out are told, and have their own line."""
    becomes = "  - {match: {logger: app.db}, to: log-file, final: true}\n  - {to: log-file}"
    assert lines(tmp_path, "  - {to: [console, log-file]}", becomes)[1:] == [
        "  every logger, INFO and above: -console",
        "  app and below, DEBUG: -console",
    ]
    silenced = "routes:\n  - {match: {logger: app.db}, to: console, final: true}\n"
    old = OLD.replace("routes:\n", silenced)
    assert lines(tmp_path, "  - {to: [console, log-file]}", "  - {to: log-file}", old)[1:] == [
        "  every logger (but not app.db), INFO and above: -console",
        "  app and below (but not app.db), DEBUG: -console",
    ]


def test_levels_of_loggers_count(tmp_path):
    """Records that are no longer made reach nothing."""
    assert lines(tmp_path, "app: DEBUG", "app.db: DEBUG") == [
        "routing",
        "  app and below (but not app.db), DEBUG: no longer made -console -log-file",
        "",
        "loggers",
        "  + app.db: level DEBUG",
        "  - app: level DEBUG",
    ]


def test_one_logger_alone_is_told_apart(tmp_path):
    """What concerns the root logger's own records does not speak of all."""
    routes = "routes:\n  - {match: {logger: root}, to: [], final: true}\n"
    assert (
        lines(tmp_path, "routes:\n", routes)[1]
        == "  root itself, INFO and above: -console -log-file"
    )


def test_conditions_on_content_are_compared_as_written(tmp_path):
    """Some records is said with the condition; another condition is a change."""
    some = "{level: ERROR, message: declined}"
    expected = "  every logger, ERROR and above: ~ops-mail (before all records; "
    expected += "now some records, by content: message: declined)"
    assert lines(tmp_path, "{level: ERROR}", some)[1] == expected
    old = OLD.replace("{level: ERROR}", some)
    told = lines(tmp_path, "message: declined", "message: refused", old)[1]
    assert "before some records, by content: message: declined" in told
    assert "now some records, by content: message: refused" in told


def test_final_by_content_takes_some_away(tmp_path):
    """Records that a conditional final route keeps are missing below it."""
    routes = "routes:\n  - {match: {message: ping}, to: [], final: true}\n"
    told = "(before all records; now all but some, by content: message: ping)"
    assert f"~log-file {told}" in lines(tmp_path, "routes:\n", routes)[1]


def test_unwanted_records_go_to_stderr(tmp_path):
    """What no route wants any more is told where it goes."""
    assert lines(tmp_path, "  - {to: [console, log-file]}", "")[1:] == [
        "  every logger, INFO and above: -console -log-file",
        "  every logger, WARNING: +stderr, as no route wants it",
        "  app and below, DEBUG: -console -log-file",
    ]


def test_globs_show_as_they_are_written(tmp_path):
    """A route for a pattern of names is told with it."""
    routes = "routes:\n  - {match: {logger: 'job*'}, to: [], final: true}\n"
    assert lines(tmp_path, "routes:\n", routes)[1] == (
        "  job* and below, INFO and above: -console -log-file"
    )
    routes = "routes:\n  - {match: {logger: '*.db'}, to: [], final: true}\n"
    told = lines(tmp_path, "routes:\n", routes)
    assert "  app.db and below, DEBUG and above: -console -log-file" in told


def test_options_are_told_secrets_are_not(tmp_path):
    """A changed option shows both values; of a password only that it changed."""
    new = OLD.replace("smtp.example.org", "mx.example.org").replace("hunter2", "hunter3")
    new = new.replace("app.log}", "app.log, level: WARNING}")
    _, out, _ = diff(tmp_path, OLD, new)
    assert "  ~ ops-mail: host smtp.example.org -> mx.example.org; password changed\n" in out
    assert "  ~ log-file: level 0 (default) -> WARNING\n" in out
    assert "hunter" not in out


def test_secrets_stay_out_everywhere(tmp_path):
    """Secret variables, conditions on secret fields and URLs are veiled in every format."""
    old = OLD.replace("routes:\n", "routes:\n  - {match: {message: '${MY_TOKEN}'}, to: console}\n")
    new = OLD.replace(
        "routes:\n", "routes:\n  - {match: {fields: {api_key: hunter2}}, to: log-file}\n"
    )
    new = new.replace("routes:", "context: {dsn: 'https://me:hunter2@example.org/'}\nroutes:")
    new = new.replace("handlers:", "handlers:\n  web: {type: http, url: 'https://a/?k=hunter2'}")
    (tmp_path / "old.yaml").write_text(old)
    (tmp_path / "new.yaml").write_text(new)
    for format in ("text", "json"):
        code, out, _ = logroute(
            *("diff", "old.yaml", "new.yaml", "--format", format),
            cwd=tmp_path,
            environment={"MY_TOKEN": "hunter2"},
        )
        assert (code, "hunter2" in out, "********" in out) == (0, False, True)


def test_unknown_values_are_compared_by_their_text(tmp_path):
    """A secret that is read from another file is a change, though neither is read."""
    old = OLD.replace("hunter2", "'${file:/run/secrets/a}'")
    told = lines(tmp_path, "secrets/a", "secrets/b", old)
    assert told == ["routing is the same", "", "handlers", "  ~ ops-mail: password changed"]


def test_parts_come_and_go(tmp_path):
    """Handlers, formatters and filters that are new or gone are listed with what they are."""
    new = OLD.replace("  console: {type: console}\n", "  console: {type: 'null'}\n")
    new = new.replace(
        "root:", "formatters: {json: {type: json}}\nfilters: {hide: {type: redact}}\nroot:"
    )
    new = new.replace("level: INFO", "level: INFO, filters: [hide]")
    _, out, _ = diff(tmp_path, OLD, new)
    assert out.splitlines() == [
        "routing is the same",
        "",
        "loggers",
        "  ~ root: filters hide (new)",
        "",
        "handlers",
        "  ~ console: type console -> null",
        "",
        "formatters",
        "  + json: json",
        "",
        "filters",
        "  + hide: redact",
    ]


def test_old_files_compare_too(tmp_path):
    """dictConfig files are compared like any other, their classes by argument."""
    old = """\
version: 1
handlers:
  file: {class: logging.handlers.RotatingFileHandler, filename: a.log, maxBytes: 10}
root: {level: INFO, handlers: [file]}
"""
    told = lines(tmp_path, "maxBytes: 10", "maxBytes: 20, level: ERROR", old)
    assert told == [
        "routing",
        "  every logger, INFO..WARNING: -file",
        "",
        "handlers",
        "  ~ file: level 0 (default) -> ERROR; maxBytes 10 -> 20",
    ]


def test_exit_code_tells_of_changes(tmp_path):
    """With --exit-code a change ends with 1, no change with 0; a bad file with 2."""
    assert diff(tmp_path, OLD, OLD, "--exit-code")[0] == 0
    new = OLD.replace("INFO", "DEBUG")
    assert diff(tmp_path, OLD, new, "--exit-code")[0] == 1
    assert diff(tmp_path, OLD, new)[0] == 0
    code, out, _ = diff(tmp_path, OLD, OLD.replace("to: ops-mail", "to: nobody"), "--exit-code")
    assert (code, "error[LR201]: handler `nobody` is not defined" in out) == (2, True)
    code, _, err = logroute("diff", "-", "-")
    assert (code, "standard input can be only one of the two" in err) == (2, True)


def test_json_holds_to_its_schema(tmp_path):
    """The JSON document validates and says the same as the text."""
    new = OLD.replace("level: ERROR}", "level: WARNING, message: x}").replace(
        "app: DEBUG", "a: DEBUG"
    )
    code, out, _ = diff(tmp_path, OLD, new.replace("hunter2", "x"), "--format", "json")
    document = json.loads(out)
    schema = json.loads((ROOT / "schemas" / "diff.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert (code, document["same"], document["routing"]["same"]) == (0, False, False)
    (added,) = [c for c in document["routing"]["changes"] if c["added"] and c["made"] is None]
    assert added["levels"] == {"ranges": [{"from": 30, "to": 39}], "text": "WARNING"}
    assert added["added"] == [
        {"handler": "ops-mail", "when": "some records, by content: message: x"}
    ]
    (mail,) = document["handlers"]
    assert mail["options"][0] == {
        "option": "password",
        "before": "********",
        "after": "********",
        "secret": True,
    }


def test_diff_in_the_docs_is_told_today(tmp_path):
    """The answer in docs/pictures.md is what the command gives for such a change."""
    old = (ROOT / "sample-configs" / "minimal.yaml").read_text()
    mail = "{type: email, host: mx.example.org, from: a@example.org, to: ops@example.org}"
    routes = "routes:\n  - {match: {logger: app.audit}, to: [], final: true}\n"
    new = old.replace("routes:\n", routes + "  - {match: {level: ERROR}, to: ops-mail}\n")
    _, out, _ = diff(tmp_path, old, new.replace("root:", f"  ops-mail: {mail}\nroot:"))
    docs = (ROOT / "docs" / "pictures.md").read_text()
    assert "".join(f"    {line}".rstrip() + "\n" for line in out.splitlines()) in docs


# -- against what records do

NAMES = ["root", "a", "a.b", "a.b.c", "ab", "x.y"]
RECORDS = [*NAMES, "a.b.c.d", "a.z", "x", "x.y.z", "other"]
LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", 35]
HANDLERS = ["h1", "h2", "h3"]

level_sets = st.sampled_from(["ERROR", "=INFO", "DEBUG..WARNING", "<ERROR", ">35", "=35"])
some_names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
some_handlers = st.lists(st.sampled_from(HANDLERS), max_size=2, unique=True)
matches = st.fixed_dictionaries({}, optional={"level": level_sets, "logger": some_names})
routes = st.fixed_dictionaries(
    {"to": some_handlers},
    optional={
        "match": st.one_of(
            matches,
            matches.map(lambda match: {"not": match}),
            st.lists(matches, min_size=1, max_size=2).map(lambda inner: {"any": inner}),
        ),
        "final": st.booleans(),
        "final_below": st.sampled_from(LEVELS),
    },
)
loggers = st.fixed_dictionaries(
    {},
    optional={
        "level": st.sampled_from(LEVELS),
        "handlers": some_handlers,
        "propagate": st.booleans(),
    },
)
configs = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "handlers": st.fixed_dictionaries(
            {
                name: st.sampled_from([{"type": "null"}, {"type": "null", "level": "ERROR"}])
                for name in HANDLERS
            }
        ),
    },
    optional={
        "root": loggers.map(lambda logger: {k: v for k, v in logger.items() if k != "propagate"}),
        "loggers": st.dictionaries(st.sampled_from(NAMES[1:]), loggers, max_size=3),
        "routes": st.lists(routes, max_size=4),
        "unmatched": st.sampled_from([["h3"], ["drop"]]),
    },
)


def reached(config, name, level):
    """Return whether a record is made, and the handlers that get it, as the live process asks."""
    levels = Levels(config.levels)
    table = route_table(config, levels)
    made = level >= effective_level(config, levels, name).number
    plan = table.plan(name, level)
    picked = plan.pick(None)
    if not made:
        return made, set()
    if picked is not None:
        return made, set(picked)
    is_told = config.unmatched is None and level >= 30 and table.reaches_root(name)
    return made, {STDERR} if is_told else set(plan.leftover)


def covers(kind, names, name):
    below = any(name.startswith(f"{one}.") for one in names)
    return {
        "all": True,
        "tree": below or name in names,
        "logger": name in names,
        "below": below,
    }[kind]


def told(lines, name, level):
    """Return what lines say of one record."""
    made, added, removed = None, set(), set()
    for line in lines:
        scope = line.scope
        if not any(low <= level <= high for low, high in line.levels):
            continue
        if any(covers(kind, [left], name) for kind, left in scope.but):
            continue
        if covers(scope.kind, scope.names, name):
            made = line.change.made or made
            added |= {way.handler for way in line.change.added}
            removed |= {way.handler for way in line.change.removed}
    return made, added, removed


@given(
    configs, configs, st.lists(st.tuples(st.sampled_from(RECORDS), st.integers(0, 60)), max_size=20)
)
@settings(max_examples=150, deadline=None)
def test_records_change_exactly_where_diff_says(old, new, records):
    """For random configs and records, handlers differ exactly as the lines say."""
    sides = [load(config) for config in (old, new)]
    assert [side.config is not None for side in sides] == [True, True]
    lines = compare_routing(*map(PartsOf, sides))
    for name, level in records:
        (was, before), (now, after) = (reached(side.config, name, level) for side in sides)
        made = None if was == now else (was, now)
        assert told(lines, name, level) == (made, after - before, before - after)


@given(configs)
@settings(max_examples=50, deadline=None)
def test_config_is_the_same_as_itself(config):
    """No random config differs from itself."""
    old, new = PartsOf(load(config)), PartsOf(load({**config, "levels": {"TRACE": 5}}))
    assert compare_routing(old, new) == ()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "sample-configs").glob("*.yaml")), ids=lambda p: p.name
)
def test_samples_compare_to_themselves(path):
    """Every sample is the same as itself, conditions on content and all."""
    text = path.read_text()
    levels = "levels: {TRACE: 5}\n" if "\nlevels:" not in text else ""
    sides = [load(one, environ={}, read_secrets=False) for one in (text, text + levels)]
    assert compare_routing(*map(PartsOf, sides)) == ()
