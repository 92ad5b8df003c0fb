"""The `syslog` kind: described, so that files may be checked; not built yet."""

from typing import Annotated, ClassVar, Literal

from logroute.options import Opt
from logroute.sinks import NetworkSpec, TlsSpec

__all__ = ["SyslogSpec"]


class SyslogSpec(NetworkSpec):
    """Send records to a syslog daemon (RFC 5424 or RFC 3164)."""

    planned: ClassVar[bool] = True
    default_formatter: ClassVar[str] = "text"
    guarantee: ClassVar[str] = "at_most_once"

    address: Annotated[str, Opt("`host:port`, `[::1]:port` or `unix:/path`.")] = "unix:/dev/log"
    transport: Annotated[
        Literal["udp", "tcp"] | None, Opt("Default: udp, or what the unix socket is.")
    ] = None
    facility: Annotated[
        Literal[
            "kern",
            "user",
            "mail",
            "daemon",
            "auth",
            "syslog",
            "lpr",
            "news",
            "uucp",
            "cron",
            "authpriv",
            "ftp",
            "local0",
            "local1",
            "local2",
            "local3",
            "local4",
            "local5",
            "local6",
            "local7",
        ],
        Opt("Which kind of program the records come from."),
    ] = "user"
    rfc: Annotated[
        Literal["rfc5424", "rfc3164"], Opt("Form of a message: the present or the old one.")
    ] = "rfc5424"
    app_name: Annotated[str | None, Opt("Name of the program. Default: the script's.")] = None
    tls: Annotated[TlsSpec | None, Opt("Encrypt (RFC 5425); needs `transport: tcp`.")] = None
