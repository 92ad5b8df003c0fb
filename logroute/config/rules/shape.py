"""Findings of the shape of a config; see `decode.py` and `schema.py`.

Only their manual pages stand here: what fits where is said by the specs.
"""

from logroute.config.rules.rule import Rule
from logroute.diagnostics import Severity

__all__ = ["SHAPE"]

SHAPE: tuple[Rule, ...] = (
    Rule(
        "LR101",
        Severity.ERROR,
        """Find keys that mean nothing where they stand (LR101).

        A misspelt key would leave its default in force, and nobody would know. So in
        the parts of logroute every key has to be known::

            handlers:
              log: {type: file, path: /var/log/shop/app.log, formater: line}

        Correct the key. Your own notes may stand in keys that begin with `x-` at the
        top of the file. What the standard library passes over in silence is a
        warning only (LR901).
        """,
    ),
    Rule(
        "LR102",
        Severity.ERROR,
        """Find parts that lack a key they need (LR102).

        A file needs its `version`, a handler its `type` (or `class`), and each kind
        what it cannot guess: a `file` its `path`, an `email` its `host`, `from` and
        `to`::

            handlers:
              mail: {type: email, host: smtp.example.org, from: app@example.org}

        Add the key: `to: [ops@example.org]`. `logroute schema` and an editor that
        reads it show what each kind needs.
        """,
    ),
    Rule(
        "LR103",
        Severity.ERROR,
        """Find values of the wrong type (LR103).

        A list where a text is meant, a text where a number is meant, a size without
        a unit that is known::

            shutdown_timeout: 5 seconds
            routes:
              - {match: {level: ERROR}, to: console, final: [yes]}

        Write what the message asks for: `5s`, `true`. A number in quotes is a text;
        a single name may stand for a list of one.
        """,
    ),
    Rule(
        "LR104",
        Severity.ERROR,
        """Find numbers and lists outside of their limits (LR104).

        A port is at most 65535, a queue holds at least one record, a list of
        addresses has at least one::

            handlers:
              mail: {type: email, host: smtp.example.org, port: 465000, from: app@example.org,
                to: [ops@example.org]}

        Write a value within the limits.
        """,
    ),
    Rule(
        "LR105",
        Severity.ERROR,
        """Find a `type` that is no kind of handler, formatter or filter (LR105).

        The kinds are few, and installed packages may add some. As long as the kind
        is not known, the other keys of the part cannot be checked::

            handlers:
              mail: {type: smtp, host: smtp.example.org}

        Write the kind that the message suggests. A class of your own is named by
        `class`, not by `type`.
        """,
    ),
    Rule(
        "LR106",
        Severity.ERROR,
        """Find words that are none of the choices (LR106).

        Some options take one of a few words::

            handlers:
              mail: {type: email, host: smtp.example.org, security: starttsl,
                from: app@example.org, to: [ops@example.org]}

        Write one of those that the message lists.
        """,
    ),
    Rule(
        "LR107",
        Severity.ERROR,
        """Find files of a version that is not read (LR107).

        `version` is that of the config language, as in dictConfig, not that of your
        application or of the file. There is only one::

            version: 2.4.0

        Write `version: 1`.
        """,
    ),
    Rule(
        "LR108",
        Severity.ERROR,
        """Find keys that contradict each other (LR108).

        A part is either a kind of logroute (`type`), or a class of your own (`class`
        or `()`); a web service gets either a token or a user name and a password; what
        goes over UDP has no `tls`::

            handlers:
              console: {type: console, class: logging.StreamHandler}

        Keep one of the two.
        """,
    ),
)
