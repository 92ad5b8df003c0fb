"""No report shows a secret, wherever it stands in a file."""

import json

import pytest
from check_kit import GOOD

from logroute.cli.report.masking import Page, Pages, mask_secrets

FORMATS = ("text", "concise", "json", "jsonl", "github", "sarif", "junit")

#: Files with a fault on, above or below a secret.
LEAKY = {
    "same-line": "handlers: {m: {type: emial, host: x, password: hunter2}}\n",
    "anchor": "x-pw: &pw hunter2\nhandlers: {m: {type: http, utl: x, auth: {password: *pw}}}\n",
    "block": "handlers:\n  m:\n    type: fiel\n    password: |\n      hunter2\n",
    "next-line": "handlers:\n  m:\n    type: fiel\n    password:\n      hunter2\n",
    "wrong-type": "handlers: {m: {type: email, password: [hunter2, {a: hunter2}]}}\n",
    "default": 'handlers: {m: {type: emial, password: "${PW:-hunter2}"}}\n',
    "url": "handlers: {m: {type: http, url: 'https://me:hunter2@h.example', bdy: json}}\n",
    "headers": "handlers: {m: {type: http, headers: {X-Key: hunter2}, bdy: json}}\n",
    "vars": "vars: {db_password: hunter2, vars: [x]}\n",
    "profiles": "profiles: {p: {handlers: {m: {type: fiel, api_key: hunter2}}}, q: 3}\n",
    "tests": "tests: [{record: {fields: {password: hunter2}}, expct: 3}]\n",
    "twice": "handlers: {m: {type: email, password: hunter2, password: hunter2}}\n",
    "comment": "handlers: {m: {type: fiel}} # password: hunter2\n",
    "in-text": "formatters: {f: {format: 'password=hunter2 %(nam)s', fmt: x}}\n",
    "as-key": "handlers: {m: {type: emial, password: {hunter2}}}\n",
    "lost-space": "handlers:\n  m:\n    type: email\n    password:hunter2\n",
    "syntax": "handlers:\n  m: {password: hunter2, type: [}\n",
    "syntax-block": "handlers:\n  m:\n    password: >\n      hunter2\n      hunter2: [\n  - x\n",
    "syntax-quote": 'handlers:\n  m:\n    token: "a\n      hunter2\n',
    "credentials": "handlers: {m: {class: x.Y, credentials: [me, hunter2], x: 1}}\n",
    "tag": "handlers: {m: {type: email, password: !!int hunter2}}\n",
    "level": "handlers: {m: {type: console, level: hunter2, password: hunter2}}\n",
    "ignore": "x: 1 # logroute: ignore[LR999] password: hunter2\n",
}


@pytest.mark.parametrize("name", LEAKY)
def test_secret_is_in_no_format(check, name):
    """A password on a line that is shown, in a message or in a fix is veiled in all formats."""
    text = LEAKY[name]
    check.write("a.yaml", text if "version" in text else f"version: 1\n{text}")
    for format in FORMATS:
        for option in ((), ("--all-profiles", "-v"), ("--env", "PW=hunter2")):
            result = check("a.yaml", "--format", format, *option)
            assert result.code in (0, 1), result
            assert "hunter2" not in result.out + result.err, format


def test_secret_of_a_json_file_is_veiled(check):
    """JSON and TOML are read for secrets as YAML is."""
    check.write("a.json", '{"version": 1, "handlers": {"m": {"type": "x", "token": "hunter2"}}}')
    check.write("a.toml", 'version = 1\n[handlers.m]\ntype = "x"\ntoken = """\nhunter2"""\nx = 1\n')
    for format in FORMATS:
        assert "hunter2" not in check("a.json", "a.toml", "--format", format).out


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("password: hunter2 # x", "password: ********"),
        ("{a: 1, api_key: 'k, 1', b: 2}", "{a: 1, api_key: ********, b: 2}"),
        ('smtp-password: "x\\"y"', "smtp-password: ********"),
        ("password: ${env:SMTP_PASSWORD}", "password: ${env:SMTP_PASSWORD}"),
        ("password: ${PW:-hunter2}", "password: ${PW:-********}"),
        ("url: https://me:pw@host/x", "url: https://********@host/x"),
        ("url: https://${USER}@host/x", "url: https://${USER}@host/x"),
        ("host: example.org", "host: example.org"),
    ],
)
def test_looks_of_secrets_are_known(line, masked):
    """What looks like a secret is shown as eight stars, a variable's default too."""
    assert mask_secrets(line).startswith(masked)


def test_names_of_parts_are_no_secrets():
    """A handler called `secret-audit` may be shown; what is in it that is no secret, too."""
    text = "handlers:\n  secret-audit: {type: file, path: a.log, password: hunter2}\n"
    line = Page("a.yaml", text).masked(1)
    assert line == "  secret-audit: {type: file, path: a.log, password: ********}"


def test_messages_have_a_second_lock():
    """A message that held a secret of the file would not show it."""
    pages = Pages({"a.yaml": "password: hunter2\ntoken: abc\n"})
    assert pages.veil("`hunter2` is no port, abc either") == "`********` is no port, abc either"
    assert pages.veil("hunter22 is another word") == "hunter22 is another word"


def test_fix_with_a_secret_is_not_shown(check):
    """A fix whose text holds a secret is left to --fix."""
    check.write("a.yaml", GOOD.replace("type: console", 'type: consol, x-a: "${PW:-hunter2}"'))
    report = json.loads(check("a.yaml", "--format", "json").out)
    assert "hunter2" not in json.dumps(report)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('url: "https://x.example/?token=abc"', 'url: "https://x.example/?token=********"'),
        ("url: 'https://x.example/?token=abc'", "url: 'https://x.example/?token=********'"),
        (
            '{"url": "https://x/?a=1&token=abc", "b": 1}',
            '{"url": "https://x/?a=1&token=********", "b": 1}',
        ),
        ('url: "https://x/?token=abc&b=1"  # on', 'url: "https://x/?token=********&b=1"  # on'),
        ('url: "https://x/?token=abc"  # on', 'url: "https://x/?token=********"  # on'),
        ("url: https://x/?token=abc", "url: https://x/?token=********"),
        ("url: https://x/?token=ab'c\"", "url: https://x/?token=********"),
        ('url: "https://x/?token=ab\'c d"', 'url: "https://x/?token=********"'),
        ('x: ?token="a&b"', "x: ?token=********"),
    ],
)
def test_argument_of_a_url_is_veiled_alone(line, shown):
    """The quote that closes the URL, and its other arguments, are no part of a secret."""
    assert mask_secrets(line) == shown
