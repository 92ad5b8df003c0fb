"""Which files are checked, and what variables and profiles they see."""

import io
import os
import sys
from types import SimpleNamespace

import pytest
from check_kit import BROKEN, GOOD, WARNED

from logroute.cli.checks.find import find_files, looks_like_config

OTHERS = {
    "docker-compose.yaml": "version: '3'\nservices:\n  web: {image: x}\n",
    "package.json": '{"name": "x", "version": "1.0.0", "root": true}',
    "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n[tool.x]\nhandlers = []\n",
    "broken.json": '{"name": ',
    "broken.yaml": "a: [b\nc: }\n",
    "k8s/logging.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: logging}\n",
    "app.yaml": "handlers:\n- url: /.*\n  script: auto\nruntime: python39\n",
    "list.yaml": "- version: 1\n- handlers: {}\n",
    "notes.txt": GOOD,
    ".hidden/logging.yaml": BROKEN,
    "node_modules/x/logging.yaml": BROKEN,
    "env/pyvenv.cfg": "home = /usr",
    "env/logging.yaml": BROKEN,
}
CONFIGS = {
    "any-name.yml": GOOD,
    "conf/x.json": '{"version": 1, "handlers": {"a": {"class": "logging.NullHandler"}}}',
    "conf/y.toml": "version = 1\n[handlers.a]\ntype = 'null'\n",
    "flow.yaml": "{version: 1, handlers: {a: {type: console}}, routes: [{to: a}]}",
    "logging.yaml": "",
    "log_config.json": '{"handlers": {',
    "log-conf.yaml": "handlers: {}\n",
}


def fill(check, files):
    for name, text in files.items():
        check.write(name, text)


def test_directory_gives_the_configs_in_it(check):
    """Only what looks like a logging config is taken from a directory, in a stable order."""
    fill(check, {**OTHERS, **CONFIGS})
    found = find_files(["."])
    assert sorted(found.names) == sorted(CONFIGS) and found.names == [
        *sorted(n for n in CONFIGS if "/" not in n),
        "conf/x.json",
        "conf/y.toml",
    ]
    assert found.skipped == sum(name.endswith((".yaml", ".json", ".toml")) for name in OTHERS) - 3
    result = check(".", "-o", os.devnull)
    assert f"skipped {found.skipped} files that are no logging config" in result.err


def test_named_file_is_always_taken(check):
    """Whatever is in a file, it is checked when it is named."""
    fill(check, OTHERS)
    result = check("docker-compose.yaml", "broken.yaml")
    assert result.code == 1
    assert "docker-compose.yaml:" in result.out and "broken.yaml:" in result.out


def test_directory_without_config_exits_2(check):
    """Nothing found is never "all passed"."""
    fill(check, OTHERS)
    result = check("k8s")
    assert (result.code, result.out) == (2, "")
    assert "no logging config found in the directory `k8s`" in result.err


def test_glob_is_expanded_here(check):
    """A quoted glob gives its files, each once, with those of `**` below."""
    fill(check, {"a.yaml": GOOD, "b.yaml": WARNED, "b.md": "x", "in/c.yaml": GOOD})
    assert find_files(["*.yaml", "b.yaml", "./a.yaml"]).names == ["a.yaml", "b.yaml"]
    assert find_files(["**/*.yaml"]).names == ["a.yaml", "b.yaml", "in/c.yaml"]
    assert find_files(["b*"]).names == ["b.yaml"]
    result = check("*.yml", "a.yaml")
    assert result.code == 2
    assert "no file matches `*.yml`" in result.err
    assert "ok  a.yaml" in result.out


def test_file_with_glob_letters_is_a_file(check):
    """A name that exists is taken as it is."""
    check.write("a[1].yaml")
    assert check("a[1].yaml").code == 0


def test_included_file_is_checked_through_the_other(check):
    """Of a directory, what another file includes is no config of its own."""
    check.write("base/logging.base.yaml", "handlers: {out: {type: console, level: INGO}}\n")
    check.write(
        "logging.yaml", "version: 1\ninclude: base/logging.base.yaml\nroutes: [{to: [out]}]\n"
    )
    result = check(".")
    assert result.codes == ["LR301"]
    assert "base/logging.base.yaml:1:40: error" in result.out
    assert result.out.endswith(
        "1 file, 1 error, 0 warnings (1 fixable with --fix --unsafe-fixes)\n"
    )
    assert "1 file is checked through what includes it" in result.err
    assert "2 files" in check("logging.yaml", "base/logging.base.yaml").out


def test_files_including_each_other_are_not_lost(check):
    """A circle of includes is told once, in the first of the files."""
    check.write("logging.a.yaml", "version: 1\ninclude: logging.b.yaml\nhandlers: {}\n")
    check.write("logging.b.yaml", "version: 1\ninclude: logging.a.yaml\nhandlers: {}\n")
    result = check(".")
    assert result.code == 1
    assert "LR204" in result.codes
    assert "1 file is checked through" in result.err


def test_no_path_takes_the_usual_file(check, monkeypatch):
    """Without a path LOGROUTE_CONFIG is checked, else the usual names in their order."""
    result = check()
    assert (result.code, result.out) == (2, "")
    assert "LOGROUTE_CONFIG is not set" in result.err
    check.write("config/logging.yaml", WARNED)
    assert check().err == "logroute check: checking config/logging.yaml\n"
    check.write("logging.yml")
    assert "ok  logging.yml" in check().out
    check.write("other.yaml", BROKEN)
    monkeypatch.setenv("LOGROUTE_CONFIG", "other.yaml")
    assert check().codes == ["LR301"]


def give(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))


def test_standard_input_may_have_a_name(check, monkeypatch):
    """--stdin-filename names it, says its syntax and where its includes start."""
    check.write("conf/base.yaml", "handlers: {out: {type: console}}\n")
    give(monkeypatch, 'version = 1\ninclude = "base.yaml"\n[[routes]]\nto = ["uot"]\n')
    result = check("-", "--stdin-filename", "conf/logging.toml", "--format", "concise")
    assert result.out.splitlines()[-2].startswith("conf/logging.toml:4:7: error[LR201]")


@pytest.mark.parametrize("name", CONFIGS)
def test_looks_are_told_from_the_top(check, name):
    """Each kind of config is recognised."""
    check.write(name, CONFIGS[name])
    assert looks_like_config(name)


ENVIRONED = GOOD.replace("{type: console}", '{type: console, level: "${LEVEL}"}')


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], ["LR203"]),
        (["--env", "LEVEL=INFO"], []),
        (["--env", "LEVEL=INGO"], ["LR301"]),
        (["--no-env"], []),
        (["--no-env", "--env", "LEVEL=INGO"], ["LR301"]),
        (["--env-file", "my.env"], ["LR301"]),
        (["--env-file", "my.env", "--env", "LEVEL=INFO"], []),
    ],
)
def test_variables_come_from_options(check, monkeypatch, options, codes):
    """--env beats --env-file; with --no-env an unset variable may be anything."""
    monkeypatch.delenv("LEVEL", raising=False)
    check.write("my.env", "# levels\n\nexport LEVEL='INGO' # no level\nOTHER=x\n")
    check.write("a.yaml", ENVIRONED)
    assert check("a.yaml", *options).codes == codes


def test_no_env_leaves_the_environment_out(check, monkeypatch):
    """With --no-env a value of this process is not used."""
    monkeypatch.setenv("LEVEL", "INGO")
    check.write("a.yaml", ENVIRONED)
    assert check("a.yaml").codes == ["LR301"]
    assert check("a.yaml", "--no-env").codes == []


def test_bad_line_of_env_file_is_not_shown(check):
    """A line that is not KEY=VALUE is told by its number: it may hold a secret."""
    check.write("my.env", "A=1\nhunter2\n")
    check.write("a.yaml")
    result = check("a.yaml", "--env-file", "my.env")
    assert (result.code, "hunter2" in result.err) == (2, False)
    assert "line 2 of `my.env` is not KEY=VALUE" in result.err


PROFILED = """\
version: 1
handlers:
  out: {type: console}
  log: {type: "null"}
root: {level: INFO}
routes: [{to: [out]}]
profiles:
  dev: {routes: [{to: [out, log]}], root: {level: INGO}}
  prod: {root: {level: INGO}, routes: [{to: [out, gol]}]}
  odd: {levels: {}, loggers: {app: {level: X}}}
"""


def test_all_profiles_are_checked(check):
    """A finding under some profiles is told once and names them; one is used if any uses it."""
    check.write("a.yaml", PROFILED)
    lines = check("a.yaml", "--all-profiles", "--format", "concise").out.splitlines()[:-1]
    told = [line.split("]: ")[1] for line in lines]
    assert told == [
        "`INGO` is not a level name (in profile `dev`)",
        "`INGO` is not a level name (in profile `prod`)",
        "handler `gol` is not defined (in profile `prod`)",
        "`X` is not a level name (in profile `odd`)",
    ]


def test_profile_is_laid_over(check):
    """--profile checks under one profile, or under each of several."""
    check.write("a.yaml", PROFILED)
    assert check("a.yaml").codes == []
    assert check("a.yaml", "--profile", "dev").codes == ["LR301"]
    result = check("a.yaml", "--profile", "dev", "--profile", "prod")
    assert result.codes == ["LR301", "LR301", "LR201"]
    assert check("a.yaml", "--profile", "prd").codes[-1] == "LR205"


def test_finding_of_every_profile_names_none(check):
    """What is found with and without each profile is told plainly."""
    check.write(
        "a.yaml",
        PROFILED.replace("level: INFO", "level: INFOO").partition("  dev")[0]
        + "  dev: {context: {a: b}}\n",
    )
    result = check("a.yaml", "--all-profiles", "--select", "LR301")
    assert "`INFOO` is not a level name\n" in result.out
