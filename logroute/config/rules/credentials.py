"""Credentials: those that cannot be used, or not safely, and variables that are none."""

from collections.abc import Iterator

from logroute.config.findings import subject, tell
from logroute.config.nodes import Node
from logroute.config.readers import Path
from logroute.config.rules.facts import Facts
from logroute.config.rules.rule import rule
from logroute.diagnostics import Diagnostic, Severity, error

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
    for name, _ in _of_kind(facts, "http"):
        path: Path = ("handlers", name, "auth")
        if facts.is_broken(path):
            continue
        bearer, user, password = (
            _is_given(facts.node.at((*path, key))) for key in ("bearer", "username", "password")
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
    batch; only this machine itself may get them in clear::

        handlers:
          web: {type: http, url: "http://logs.example.org/", auth: {bearer: "${TOKEN}"}}

    Write `https://`; for mail, `security: starttls` or `tls`.
    """
    for name, entry in _of_kind(facts, "http"):
        url = _text(entry.at(("url",)))
        if url.startswith("http://") and _has_login(entry) and _is_remote(_host(url)):
            yield _in_clear(facts, ("handlers", name, "url"), "write `https://`")
    for name, entry in _of_kind(facts, "email"):
        is_clear = _text(entry.at(("security",))) == "none" and _is_given(entry.at(("username",)))
        host = _text(entry.at(("host",)))
        allow = getattr(facts.config.handlers[name].sink, "allow_plaintext_login", False)
        allowing = entry.at(("allow_plaintext_login",))
        if allow or (allowing is not None and allowing.opaque):
            continue
        if is_clear and host and _is_remote(host):
            cure = "use `security: starttls`, or set `allow_plaintext_login: true`"
            yield _in_clear(facts, ("handlers", name, "security"), cure)


def _is_remote(host: str) -> bool:
    from logroute.sinks.net import is_loopback  # few files send credentials in clear

    return not is_loopback(host)


def _in_clear(facts: Facts, path: Path, cure: str) -> Diagnostic:
    message = f"{subject(path[:2])} would send its credentials in clear, which it refuses to do"
    return error("LR704", message, facts.view.place(path), cure)


def _of_kind(facts: Facts, kind: str) -> Iterator[tuple[str, Node]]:
    """Yield the handlers of a kind whose own options could be read."""
    for name in facts.config.handlers:
        entry = facts.node.at(("handlers", name))
        if entry is None or not isinstance(entry.value, dict) or "class" in entry.value:
            continue
        if _text(entry.at(("type",))) == kind and "()" not in entry.value:
            yield name, entry


def _has_login(entry: Node) -> bool:
    if any(_is_given(entry.at(("auth", key))) for key in ("bearer", "username")):
        return True
    headers = entry.at(("headers",))
    names = headers.value if headers is not None and isinstance(headers.value, dict) else ()
    return any(name.lower() == "authorization" for name in names)


def _host(url: str) -> str:
    """Return the host of a URL, an IPv6 address in its brackets."""
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return authority if authority.endswith("]") else authority.rpartition(":")[0] or authority


def _is_given(node: Node | None) -> bool:
    """Return whether an option has a value, which may not be known here."""
    return node is not None and (node.opaque or bool(node.value))


def _text(node: Node | None) -> str:
    is_text = node is not None and isinstance(node.value, str) and not node.opaque
    return str(node.value) if node is not None and is_text else ""


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

    Write `"${SMTP_PASSWORD}"`. A secret that really looks like this belongs in
    the environment or a file: `"${file:/run/secrets/smtp}"`.
    """
    for problem in facts.view.found.problems:
        if problem.code == "LR611":
            node = facts.view.at(problem.path)
            is_dollar = node is not None and node.text.startswith("$")
            if facts.view.is_secret(problem.path) or (is_dollar and _is_plain(problem.path)):
                yield tell(facts.view, problem)


def _is_plain(path: Path) -> bool:
    """Return whether `$name` means nothing else at `path`: no field, no pattern."""
    return path[0] != "routes" and path[-1] not in ("format", "replacement", "patterns")


ADVICE = (other_variables,)
