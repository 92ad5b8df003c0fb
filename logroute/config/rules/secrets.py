"""Secrets: those written in the file, and connections anybody can read.

No message shows a secret, nor an address that may hold one. Runs in whatever
thread loads a config.
"""

from collections.abc import Iterator

from logroute.config.findings import subject
from logroute.config.nodes import Node, shown
from logroute.config.readers import Path
from logroute.config.rules.credentials import sends_login_in_clear
from logroute.config.rules.rule import rule
from logroute.config.views.entries import (
    Destination,
    destinations,
    handlers,
    is_given,
    is_null,
    kind_of,
    reach_of,
    shown_host,
    text_of,
)
from logroute.config.views.facts import Facts
from logroute.config.views.fixes import add, remove, replace
from logroute.config.views.literals import (
    is_written,
    secret_default,
    secret_in_url,
    secret_places,
    texts,
)
from logroute.diagnostics import Diagnostic, Fix, Severity, info, warning
from logroute.shapes import Flag

__all__ = ["secrets_in_file"]

_VERIFYING = ("verify", "verify_ssl", "ssl_verify", "verify_certs", "validate_certs")


@rule("LR701", Severity.WARNING)
def secrets_in_file(facts: Facts) -> Iterator[Diagnostic]:
    """Find passwords and tokens that stand in the file (LR701).

    Whoever may read the file, its backups or its history in version control has
    them; and they cannot differ from one environment to the next::

        handlers:
          mail:
            type: email
            host: smtp.example.org
            username: app
            password: correct-horse
            from: app@example.org
            to: [ops@example.org]

    Keep it in the environment, as `${env:SMTP_PASSWORD}`, or in a file, as
    `${file:/run/secrets/smtp}`. Looked at are the
    secret options of logroute, what has the name of a secret among the arguments
    of a class, the variables in `vars`, and the default of a variable. No value
    is shown.
    """
    for place in secret_places(facts):
        is_default = not is_written(facts, place)
        if is_default and not secret_default(facts, place):
            continue
        what = _subject(place.path)
        message = f"the default of {what} is a secret that stands in the file"
        if not is_default:
            message = f"{what} stands in the file, for all who can read it"
        variable = _variable_for(facts, place.path)
        cure = f"keep it in the environment, as `${{env:{variable}}}`, or in a file, as "
        cure += f"`${{file:/run/secrets/{variable.lower()}}}`"
        if facts.is_stdlib:
            cure += "; `logroute.configure` fills that in, the standard library does not"
        yield warning("LR701", message, place.span, cure)


def _subject(path: Path) -> str:
    if path[-2:-1] == ("vars",):
        return f"the variable `{shown(str(path[-1]))}`"
    return subject(path)


def _variable_for(facts: Facts, path: Path) -> str:
    """Return the name of an environment variable that would suit."""
    name = str(path[1] if path[0] == "handlers" else path[-1])
    key = next(str(step) for step in reversed(path) if isinstance(step, str))
    entry = facts.node.at(path[:2])
    if path[0] == "handlers" and entry is not None and isinstance(entry.value, dict):
        if kind_of(entry) in ("email", "SMTPHandler"):
            return "SMTP_PASSWORD"
        last = {"bearer": "TOKEN", "credentials": "PASSWORD", "authorization": "TOKEN"}
        name = f"{name}_{last.get(key.lower(), key)}"
    word = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    return shown(word.upper().strip("_")) or "NAME"


@rule("LR702", Severity.WARNING)
def unencrypted(facts: Facts) -> Iterator[Diagnostic]:
    """Find handlers that send records over a network without encryption (LR702).

    Whoever sits on the way can read them, and records tell much: users, addresses,
    sometimes tokens::

        handlers:
          collector: {type: socket, address: "logs.example.org:9020", framing: newline}

    Add `tls: {}`; for a web service write `https://`, for mail use `security: starttls`
    or `tls`. Stdlib's `SMTPHandler` encrypts only with `credentials` and `secure`,
    its `HTTPHandler` with `secure: true`.

    Within a private network (an address such as 10.1.2.3, a name without a dot or
    one in `.local` or `.internal`) this is a remark only; so it is with
    `allow_plaintext_login: true`, and for datagrams and stdlib's `SysLogHandler`,
    which cannot be encrypted.
    """
    for where in destinations(facts):
        if where.is_local:
            continue
        cure, fix = _cure_of_clear(facts, where)
        if cure is None:
            continue
        is_possible = where.kind not in ("datagram", "DatagramHandler", "SysLogHandler")
        is_meant = where.kind == "email" and is_given(where.at("allow_plaintext_login"))
        is_grave = is_possible and not is_meant and reach_of(where.host) == "public"
        tell = warning if is_grave else info
        message = f"{subject(where.path[:2])} sends records to `{shown_host(facts, where)}` "
        message += "without encryption"
        yield tell("LR702", message, facts.view.place(where.path), cure, fix)


def _cure_of_clear(facts: Facts, where: Destination) -> tuple[str | None, Fix | None]:
    """Return what would encrypt; None where it is encrypted, or not known."""
    path = ("handlers", where.handler)
    if where.kind in ("socket", "syslog"):
        is_udp = where.kind == "syslog" and text_of(where.at("transport")) != "tcp"
        if where.at("tls") is None and not is_udp:
            return "add `tls: {}`", add(facts, path, "tls: {}", is_safe=False)
    elif where.kind == "http":
        if where.text.startswith("http://") and not _is_told(facts, where):
            return "write `https://`", _to_https(facts, where)
    elif where.kind == "email":
        node = where.at("security")
        if text_of(node) == "none" and node is not None and not _is_told(facts, where):
            return "use `security: starttls`", replace(node, "starttls", is_safe=False)
    elif where.kind == "SMTPHandler":
        if is_null(where.at("credentials")) or is_null(where.at("secure")):
            what = "`credentials` and `secure`"
            return f"use `type: email`; an SMTPHandler encrypts only with {what}", None
    elif where.kind == "HTTPHandler":
        node = where.at("secure")
        if not is_given(node):
            return "add `secure: true`", add(facts, path, "secure: true", is_safe=False)
    elif where.kind == "SysLogHandler":
        return "write `address: /dev/log`, and let the daemon of this host encrypt", None
    elif where.kind == "datagram":
        return "use `type: socket` with `tls: {}` where the receiver can", None
    return None, None


def _is_told(facts: Facts, where: Destination) -> bool:
    """Return whether the connection is an error already, since a login would go over it."""
    return sends_login_in_clear(facts, where.handler, where.entry)


def _to_https(facts: Facts, where: Destination) -> Fix | None:
    node = facts.node.at(where.path)
    if node is None:
        return None
    return replace(node, where.text.replace("http://", "https://", 1), is_safe=False)


@rule("LR703", Severity.WARNING)
def unverified(facts: Facts) -> Iterator[Diagnostic]:
    """Find connections that are encrypted for anybody (LR703).

    Without a look at the certificate nobody knows who is at the other end: whoever
    can redirect the connection reads the records and the login, and passes them on
    unseen::

        handlers:
          collector: {type: socket, address: "logs.example.org:6514", tls: {verify: false}}

    Write `verify: true`; where the certificate is not signed by a public authority, name the
    one that signed it, with `ca_file`, and the name in it, with `server_name`.
    Stdlib's `SMTPHandler` never looks at a certificate; that is a remark only.
    """
    reaches = {where.handler: reach_of(where.host) for where in destinations(facts)}
    for name, entry in handlers(facts):
        path, node = _switch(name, entry)
        if node is None or node.opaque or facts.is_broken(path):
            continue
        if Flag.WORDS.get(str(node.value), node.value) is not False:
            continue
        message = f"{subject(path)} is false: nobody checks who is at the other end"
        cure = "write `verify: true`, and name who signed the certificate with `ca_file`"
        if path[-1] != "verify" or kind_of(entry) == "":
            cure = f"write `{path[-1]}: true`"
        tell = info if reaches.get(name) == "local" else warning
        fix = remove(facts, path, is_safe=False)
        yield tell("LR703", message, facts.view.place(path), cure, fix)

    for where in destinations(facts):
        if where.kind != "SMTPHandler" or where.is_local or is_null(where.at("secure")):
            continue
        message = f"{subject(where.path[:2])}: an SMTPHandler looks at no certificate"
        place = facts.view.place(where.path_of("secure"), of_key=True)
        yield info("LR703", message, place, "use `type: email`, which does")


def _switch(name: str, entry: Node) -> tuple[Path, Node | None]:
    """Return the option of a handler that turns the check of certificates off."""
    if "class" not in entry.value and "()" not in entry.value:
        return ("handlers", name, "tls", "verify"), entry.at(("tls", "verify"))
    for key in _VERIFYING:
        if key in entry.value:
            return ("handlers", name, key), entry.value[key]
    return ("handlers", name), None


@rule("LR707", Severity.WARNING)
def lone_keys(facts: Facts) -> Iterator[Diagnostic]:
    """Find keys without the certificate that they belong to (LR707).

    A key proves that a certificate is ours, and nothing by itself. Without
    `cert_file` the `key_file` is not even read, and a server that asks for a
    certificate gets none::

        handlers:
          collector:
            type: socket
            address: logs.example.org:6514
            tls: {key_file: /etc/app/client.key}

    Add `cert_file: /etc/app/client.pem`, or remove the key. Stdlib's `SMTPHandler`
    fails at each mail if `secure` has a key alone.
    """
    for name, entry in handlers(facts):
        path: Path = ("handlers", name, "tls", "key_file")
        key, cert = entry.at(("tls", "key_file")), entry.at(("tls", "cert_file"))
        is_ours = "class" not in entry.value and "()" not in entry.value
        if is_ours and is_given(key) and not is_given(cert) and not facts.is_broken(path):
            message = f"{subject(path)} is not used without the certificate that it belongs to"
            cure = "add `cert_file:`, or remove the key"
            yield warning("LR707", message, facts.view.place(path, of_key=True), cure)
        secure = entry.at(("secure",)) if kind_of(entry) == "SMTPHandler" else None
        if secure is not None and isinstance(secure.value, list) and len(secure.value) == 1:
            path = ("handlers", name, "secure")
            message = f"{subject(path)} has a key without its certificate, and no mail goes out"
            cure = "add the certificate as the second item, or write `secure: []`"
            yield warning("LR707", message, facts.view.place(path), cure)


@rule("LR708", Severity.WARNING)
def secrets_in_urls(facts: Facts) -> Iterator[Diagnostic]:
    """Find addresses with a password or token in them (LR708).

    An address travels far: into logs of proxies, error messages, tickets. And it
    stands in this file, for all who can read it::

        handlers:
          alerts: {type: http, url: "https://alerts.example.org/in?token=correct-horse"}

    Send the secret in `auth` or in a header where the service takes it there;
    otherwise put the whole address into a variable: `url: "${env:ALERTS_URL}"`.
    Known are user names with a password, parameters such as `token=` and `api_key=`,
    and the webhooks of some services. No address is shown.
    """
    for place in texts(facts):
        what = secret_in_url(facts, place)
        if what is not None and not facts.is_broken(place.path):
            message = f"{subject(place.path)} has {what} in it"
            variable = f"${{env:{_variable_for(facts, place.path)}}}"
            cure = f"keep the whole address in the environment, as `{variable}`"
            yield warning("LR708", message, place.span, cure)


ADVICE = (secrets_in_file, unencrypted, unverified, lone_keys, secrets_in_urls)
