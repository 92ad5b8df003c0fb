"""Findings that come up while a file is read, or its parts are made.

Only their manual pages stand here: the code of each is where the text is read
(`parse.py`, `oddities.py`, `expand.py`) and where parts are built (`app/foreign.py`).
"""

from logroute.config.rules.rule import Rule
from logroute.diagnostics import Severity

__all__ = ["READING"]

READING: tuple[Rule, ...] = (
    Rule(
        "LR001",
        Severity.ERROR,
        """Find files that cannot be read (LR001).

        A config or an included file is not there, may not be opened, or is no regular
        file: a directory, a FIFO, a device. Nothing is known of what it says, so the
        check is incomplete and `logroute check` ends with 2::

            include: [handlrs.yaml]

        Correct the path. One in `include` starts at the folder of the file that
        names it, one on the command line at the current directory. INI files of
        `logging.config.fileConfig` are not read.
        """,
    ),
    Rule(
        "LR002",
        Severity.ERROR,
        """Find bytes that are not text in UTF-8 (LR002).

        An editor set to another encoding writes `é` or `ü` as one byte that means
        nothing in UTF-8. Read in the wrong way it would become another letter in a
        path or a pattern, so the file is refused::

            context: {city: Zürich}

        Save the file as UTF-8. UTF-16, NUL bytes and control characters are found
        likewise; a byte order mark in front of UTF-8 is fine.
        """,
    ),
    Rule(
        "LR003",
        Severity.ERROR,
        """Find files that say nothing (LR003).

        A file of comments alone is read as no value at all. It is more likely that
        something was forgotten than that no record should go anywhere::

            # version: 1
            # handlers: ...

        Begin with `version: 1` and a `handlers` mapping; `logroute init` writes a
        file that works.
        """,
    ),
    Rule(
        "LR004",
        Severity.ERROR,
        """Find files beyond the limits of what is read (LR004).

        A config is read within 4 MiB, 64 levels of nesting and 200 000 values, each
        use of an alias counted; a number has at most 1 000 digits. So a hostile
        file, or a generator gone wild, cannot take the memory of the program. Ten
        lines like these would be a thousand million values::

            a: &a [x, x, x, x, x, x, x, x, x, x]
            b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]

        Write less, or put parts into files of their own and `include` them.
        """,
    ),
    Rule(
        "LR005",
        Severity.ERROR,
        """Find what is not YAML, JSON or TOML (LR005).

        The first fault ends the reading, for nobody can say what the rest means. In
        YAML it is most often a character that has to be in quotes at the start of a
        value, a tab in the indentation, or a bracket or quote that is not closed::

            formatters:
              line: {format: %(asctime)s %(message)s}

        Put the value in quotes: `format: "%(asctime)s %(message)s"`.
        """,
    ),
    Rule(
        "LR006",
        Severity.ERROR,
        """Find keys that are written twice in one mapping (LR006).

        YAML forbids it, and most readers keep the last one in silence, so that half
        of what stands in the file has no effect::

            loggers:
              app.db: WARNING
              app.web: INFO
              app.db: DEBUG

        Remove one of the two, or make them one. In a plain dictConfig file, which
        the standard library loads all the same, it is a warning.
        """,
    ),
    Rule(
        "LR007",
        Severity.ERROR,
        """Find YAML tags that are not read (LR007).

        A tag says what to make of a value; `!!python/object` would even call code.
        No object is made from a file here. A text that begins with `!` is a tag as
        well::

            context: {team: !platform}

        Put the text in quotes: `"!platform"`.
        """,
    ),
    Rule(
        "LR008",
        Severity.ERROR,
        """Find files with several YAML documents (LR008).

        A line `---` begins a new document. Which of them is the config cannot be
        said::

            version: 1
            root: {level: INFO}
            ---
            version: 1
            root: {level: DEBUG}

        Keep one document per file. Variants belong in `profiles`, common parts in a
        file that others `include`.
        """,
    ),
    Rule(
        "LR009",
        Severity.ERROR,
        """Find aliases and merge keys that lead nowhere (LR009).

        `*name` stands for the value that `&name` marks further up, and `<<` takes
        the entries of such a mapping. Here the mark comes too late::

            loggers:
              app.db: *quiet
              app.cache: &quiet WARNING

        Mark the value where it is written first. A text that begins with `*`, such
        as a pattern, has to be in quotes.
        """,
    ),
    Rule(
        "LR010",
        Severity.WARNING,
        """Find values that are not what they look like (LR010).

        The quotes that a word processor or a web page makes are letters to YAML.
        They become part of the text, and `“app.db”` is no logger that anybody has::

            loggers:
              app: {level: INFO, handlers: [“console”]}

        Write plain quotes: `"`, or none.

        Fields of your own are compared with what stands in the file. Here `yes`, `no`,
        `on` and `off` are words, `12:30` is a text and `0644` the number 644, as YAML
        1.2 says; older readers see true, false, 750 and 420. So `fields: {admin: yes}`
        never matches a record whose `admin` is true. Write `true` where that is meant,
        and put a word in quotes. Where an option wants true or false, all these words
        mean the same and are left alone.
        """,
    ),
    Rule(
        "LR011",
        Severity.WARNING,
        """Find characters that the eye does not see (LR011).

        Text copied from a web page or a chat brings characters along that take no
        room, that turn the order of the letters around, or that end a line in YAML
        but in no editor. A handler's name with such a character in it is another
        name, and a comment may end before it seems to::

            handlers:
              log-file: {type: file, path: /var/log/shop/app.log}   # one of them is in here

        Remove it. Where it is meant, as in a pattern that looks for it, write it as
        an escape in double quotes. What joins letters or emoji is left alone.
        """,
    ),
    Rule(
        "LR012",
        Severity.WARNING,
        """Find secrets that end at a `#` (LR012).

        A space and a `#` begin a comment in YAML, also in the middle of a password
        that has both. What is sent is the part before, or nothing::

            mail:
              type: email
              username: app
              password: ab #cd

        Put the whole value in quotes; better, keep it out of the file:
        `password: "${file:/run/secrets/smtp}"`. Put a space behind the `#` of a
        comment, and it is taken for one.
        """,
    ),
    Rule(
        "LR098",
        Severity.WARNING,
        """Find comments that leave out a finding which is not there (LR098).

        `# logroute: ignore[LR509] reason` on a line, or alone on the line above,
        leaves out the findings of a code there. Once nothing is left to leave out,
        the comment only hides the next mistake; one with a wrong code never did
        anything::

            log:
              type: file
              path: /var/log/shop/app.log  # logroute: ignore[LR509] for tests

        Remove the comment, or correct its code.
        """,
    ),
    Rule(
        "LR203",
        Severity.ERROR,
        """Find variables without a value (LR203).

        `${NAME}` and `${env:NAME}` are read from the environment, `${var:name}`
        from the file's own `vars`, `${file:/path}` from a file. One that is not set
        would leave a hole in a host, a path or a password::

            vars: {region: eu}
            handlers:
              log: {type: file, path: "/var/log/shop/${var:regoin}.log"}

        Set it, correct the name, or give a default: `${LOG_DIR:-/var/log}`. A
        literal `${` is written `$${`. In a plain dictConfig file the text stays as
        it is, with a warning.
        """,
    ),
    Rule(
        "LR204",
        Severity.ERROR,
        """Find files that include themselves (LR204).

        An included file lies under the one that names it; two that name each other
        would have no end::

            include: [logging.yaml]     # this is logging.yaml

        Remove one of the includes.
        """,
    ),
    Rule(
        "LR205",
        Severity.ERROR,
        """Find profiles that the file does not define (LR205).

        A profile is chosen by `--profile`, `configure(profile=...)` or the variable
        `LOGROUTE_PROFILE`. If the file has no such profile, the settings of another
        environment would be used in silence; so it is refused. `profiles` in a file
        that was called with `--profile prd`::

            profiles:
              dev: {root: {level: DEBUG}}
              prod: {root: {level: WARNING}}

        Choose one that is there, or add it.
        """,
    ),
    Rule(
        "LR903",
        Severity.ERROR,
        """Find parts that cannot be made (LR903).

        Only building tries what a class does with its arguments: a module that is
        not installed, a file that may not be opened, a constructor that raises. A
        check imports nothing that a file names, so `configure` and `logroute run`
        find this::

            handlers:
              console: {class: rich.logging.RichHandler}

        Install what is missing, or compare the keys with what the class takes. The
        former config stays in force.
        """,
    ),
    Rule(
        "LR904",
        Severity.ERROR,
        """Find names that a file may not import (LR904).

        `class`, `()` and `ext://` bring any importable object to life. A program
        that loads files of others limits that: `configure(path, imports="shop.*")`.
        This handler is refused there::

            handlers:
              log: {class: subprocess.Popen, args: [reboot]}

        Use a kind of logroute, or have the program allow the name.
        """,
    ),
)
