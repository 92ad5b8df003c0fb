"""Credentials: those that cannot be used, or not safely, and variables that are none."""

from collections.abc import Iterator

from logroute.config.findings import subject, tell
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.rule import rule
from logroute.config.views.entries import (
    class_of,
    handlers,
    is_given,
    kind_of,
    of_kind,
    text_of,
)
from logroute.config.views.facts import Facts
from logroute.diagnostics import Diagnostic, Severity, error, warning
from logroute.options import VEIL
from logroute.patterns import lazy_pattern

_IN_PATH = lazy_pattern(
    r"(?<![^/])\$(?P<name>[A-Za-z_]\w*)(?![^/])|%(?P<percent>[A-Za-z_]\w{2,})%"
    r"|\{\{ *(?P<braces>[^{} ]+)[^{}]*\}\}"
)

__all__ = ["conflicting_credentials", "credentials_in_clear", "other_variables"]


@rule("LR108", Severity.ERROR)
def conflicting_credentials(facts: Facts) -> Iterator[Diagnostic]:
    """Find `auth` that is no one way to say who we are (LR108).

    A web service gets a token, or a user name and a password::

        handlers:
          web:
            type: http
            url: https://logs.example.org/
            auth: {bearer: "${TOKEN}", username: app, password: "${PASSWORD}"}

    Keep `bearer`, or `username` and `password`.
    """
    for name, _ in of_kind(facts, "http"):
        path: Path = ("handlers", name, "auth")
        if facts.is_broken(path):
            continue
        bearer, user, password = (
            is_given(facts.node.at((*path, key))) for key in ("bearer", "username", "password")
        )
        if bearer and (user or password):
            message = f"{subject(path)} has both `bearer` and `{_user_key(user)}`"
            cure = "keep `bearer`, or `username` and `password`"
            yield error("LR108", message, facts.view.place((*path, "bearer"), of_key=True), cure)
        elif password and not user:
            message = f"{subject(path)} has a `password` without a `username`"
            place = facts.view.place((*path, "password"), of_key=True)
            yield error("LR108", message, place, "add the `username`; a token is a `bearer`")


def _user_key(user: bool) -> str:
    return "username" if user else "password"


@rule("LR704", Severity.ERROR)
def credentials_in_clear(facts: Facts) -> Iterator[Diagnostic]:
    """Find credentials that would cross a network without encryption (LR704).

    Whoever listens on the way would have them, so the handler refuses every
    batch; only this machine itself (`localhost`, 127.0.0.1) may get them in clear::

        handlers:
          web: {type: http, url: "http://logs.example.org/", auth: {bearer: "${TOKEN}"}}

    Write `https://`; for mail, `security: starttls` or `tls`. Where the network can
    be trusted a mail handler takes `allow_plaintext_login: true`.
    """
    for name, entry in of_kind(facts, "http"):
        if sends_login_in_clear(facts, name, entry):
            url = text_of(entry.at(("url",)))
            right = url.replace("http://", "https://", 1)
            yield _in_clear(facts, ("handlers", name, "url"), "write `https://`", right)
    for name, entry in of_kind(facts, "email"):
        if sends_login_in_clear(facts, name, entry):
            cure = "use `security: starttls`, or set `allow_plaintext_login: true`"
            yield _in_clear(facts, ("handlers", name, "security"), cure, "starttls")


def sends_login_in_clear(facts: Facts, name: str, entry: Node) -> bool:
    """Return whether the sink of a handler would refuse to send its credentials.

    Credentials that are not known here are credentials all the same; where the
    host is not known, nothing is.
    """
    sink = facts.config.handlers[name].sink
    if any(_is_unknown(entry.at((key,))) for key in ("host", "allow_plaintext_login")):
        return False
    if kind_of(entry) == "http" and _has_login(entry):
        sink = sink.replace(headers={"authorization": VEIL})
    elif kind_of(entry) == "email" and is_given(entry.at(("username",))):
        sink = sink.replace(username=VEIL)
    return bool(getattr(sink, "sends_login_in_clear", False))


def _is_unknown(node: Node | None) -> bool:
    return node is not None and node.opaque


def _in_clear(facts: Facts, path: Path, cure: str, right: str) -> Diagnostic:
    from logroute.config.views.fixes import replace  # only for a finding

    node = facts.node.at(path)
    fix = None if node is None else replace(node, right, is_safe=False)
    message = f"{subject(path[:2])} would send its credentials in clear, which it refuses to do"
    return error("LR704", message, facts.view.place(path), cure, fix)


def _has_login(entry: Node) -> bool:
    if any(is_given(entry.at(("auth", key))) for key in ("bearer", "username")):
        return True
    headers = entry.at(("headers",))
    names = headers.value if headers is not None and isinstance(headers.value, dict) else ()
    return any(name.lower() == "authorization" for name in names)


@rule("LR611", Severity.WARNING)
def other_variables(facts: Facts) -> Iterator[Diagnostic]:
    """Find texts that look like variables and are none (LR611).

    A variable is written with braces; anything else is used as it stands::

        handlers:
          mail:
            type: email
            host: smtp.example.org
            from: app@example.org
            to: ops@example.org
            username: app
            password: $SMTP_PASSWORD

    So it is with `$NAME`, `%NAME%` or `{{ NAME }}` in the path of a file.

    Write `"${SMTP_PASSWORD}"`. A secret that really looks like this belongs in
    the environment or a file: `"${file:/run/secrets/smtp}"`.
    """
    for problem in facts.view.found.problems:
        if problem.code == "LR611":
            node = facts.view.at(problem.path)
            is_dollar = node is not None and node.text.startswith("$")
            if facts.view.is_secret(problem.path) or (is_dollar and _is_plain(problem.path)):
                yield tell(facts.view, problem)
    yield from _in_paths(facts)


def _in_paths(facts: Facts) -> Iterator[Diagnostic]:
    """Tell of such a text that is only a part of a path."""
    for name, entry in handlers(facts):
        is_ours = text_of(entry.at(("type",))) == "file"
        if not is_ours and not class_of(entry).startswith("logging."):
            continue
        path: Path = ("handlers", name, "path" if is_ours else "filename")
        node = facts.node.at(path)
        if node is None or facts.is_broken(path) or node.opaque or node.secret:
            continue
        found = _IN_PATH.search(text_of(node))
        if found is None or (is_ours and found[0] == node.text):
            continue
        word = found["name"] or found["percent"] or found["braces"]
        message = f"`{shown(found[0])}` in {subject(path)} is no variable, and is used as it stands"
        cure = f"a variable is written `${{{shown(word)}}}`"
        cure += "; the standard library fills none in" if facts.is_stdlib else ""
        yield warning("LR611", message, facts.view.place(path), cure)


def _is_plain(path: Path) -> bool:
    """Return whether `$name` means nothing else at `path`: no field, no pattern."""
    return path[0] != "routes" and path[-1] not in ("format", "replacement", "patterns")


ADVICE = (other_variables,)
