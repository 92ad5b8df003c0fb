"""Syslog messages: RFC 5424 and RFC 3164, made of records.

Owns the header, the structured data and the rule that nothing in a record can end
a message early. Shared by the `syslog` handler and the `rfc5424` formatter. Runs in
whichever thread formats; what is made once may serve several threads.
"""

import datetime as dt
import logging
import math
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping

from logroute.light import Annotated, Any, Literal
from logroute.options import Opt, Size, Spec
from logroute.records import exception_text, extras, message_of

__all__ = ["FACILITIES", "Composer", "SyslogOptions", "severity_of", "text_of_record"]

_FACILITY_NAMES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp", "ntp", "security", "console", "solaris-cron"),
    *(f"local{number}" for number in range(8)),
)
#: RFC 5424, 6.2.1, by the names that syslog daemons and stdlib use.
FACILITIES: Mapping[str, int] = {name: code for code, name in enumerate(_FACILITY_NAMES)}

#: A header of longest fields takes 503 bytes.
LEAST_LIMIT = 512
_NO_LIMIT = 256 << 10
_MOST_FIELDS = 200
_MOST_NAME = 32
#: Extras that repeat the message for a terminal (uvicorn).
_NOISE = frozenset({"color_message"})
_BOM = b"\xef\xbb\xbf"
_MARK = b"..."

# C0 but tab, DEL, C1, line and paragraph separators, bidirectional controls, BOM: what
# ends a message, moves a terminal's cursor or reorders what is read.
_CONTROLS = [*range(9), *range(10, 32), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF]
_CONTROLS += [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: ascii(chr(code))[1:-1] for code in _CONTROLS}
_SD_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "]": "\\]"})

# What is no PRINTUSASCII, no SD-NAME, and nothing for the TAG of RFC 3164.
_NOT_PRINTABLE = re.compile(r"[^!-~]")
_NOT_NAME = re.compile(r"[^!#-<>-\\^-~]")
_NOT_TAG = re.compile(r"[^A-Za-z0-9_./-]")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class SyslogOptions(Spec):
    """What the header and the structured data of a message say."""

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
            "ntp",
            "security",
            "console",
            "solaris-cron",
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
    app_name: Annotated[str | None, Opt("Name of the program. Default: the script's.")] = None
    hostname: Annotated[str | None, Opt("Name of the sender. Default: the machine's.")] = None
    procid: Annotated[
        str, Opt("Field of the record that is the PROCID, such as `process` or `threadName`.")
    ] = "process"
    msgid: Annotated[
        str,
        Opt("Field of the record that is the MSGID, such as `name`; `-` where there is none."),
    ] = "msgid"
    sd_id: Annotated[
        str,
        Opt(
            "SD-ID of the structured data, a name with your enterprise number; `-`: no such data.",
            pattern=r"-|(?=.{3,32}\Z)[!#-<>-?A-\\^-~]+@[0-9]+(\.[0-9]+)*",
            expects=(
                "must be `-`, or a name with an enterprise number such as `app@32473`, "
                "of at most 32 characters"
            ),
        ),
    ] = "fields@32473"
    bom: Annotated[
        bool, Opt("Begin the text with a UTF-8 byte order mark; most receivers keep it.")
    ] = False
    max_message: Annotated[
        Size | None, Opt("Most bytes of a message, at least 512; longer ones are cut.")
    ] = None


def severity_of(levelno: object) -> int:
    """Return the severity (RFC 5424, 6.2.1) of a level: 1 alert to 7 debug.

    Custom levels count as the highest named one that they reach: 25 is a notice,
    60 an alert. No level is an emergency, which daemons write on every terminal.
    """
    if not isinstance(levelno, int):
        return 6
    for lowest, severity in _STEPS:
        if levelno >= lowest:
            return severity
    return 7


_STEPS = ((60, 1), (50, 2), (40, 3), (30, 4), (25, 5), (20, 6))


def text_of_record(record: logging.LogRecord) -> str:
    """Return the message, and the traceback and the stack below it."""
    text = message_of(record)
    try:
        trace = exception_text(record)
    except Exception as fault:
        trace = f"<unprintable traceback: {type(fault).__name__}>"
    for part in (trace, record.__dict__.get("stack_info")):
        if part:
            text = f"{text}\n{_text(part)}"
    return text


class Composer:
    """Makes messages of records; never raises and never changes a record."""

    def __init__(
        self, options: SyslogOptions, *, is_old: bool = False, has_host: bool = True
    ) -> None:
        """Write headers as `options` say.

        Args:
            options: what the headers say.
            is_old: in the form of RFC 3164.
            has_host: name the sender, as one does to other machines (RFC 3164 only).
        """
        self._facility = FACILITIES[options.facility] * 8
        self._host = _clean(_NOT_PRINTABLE, options.hostname or _machine(), 255)
        self._app = _clean(_NOT_PRINTABLE, options.app_name or _program(), 48)
        self._procid, self._msgid = options.procid, options.msgid
        self._sd_id = b"" if options.sd_id == "-" else options.sd_id.encode()
        self._bom = _BOM if options.bom else b""
        self._limit = max(LEAST_LIMIT, options.max_message or _NO_LIMIT)
        self._clock: tuple[int | None, str] = (None, "")
        self._make = self._old if is_old else self._new
        old_host = options.hostname or _without_domain(self._host)
        old_host = _clean(_NOT_PRINTABLE, old_host, 255)
        self._old_host = f"{'localhost' if old_host == '-' else old_host} " if has_host else ""
        self._tag = _clean(_NOT_TAG, options.app_name or _program(), _MOST_NAME)

    def __call__(self, record: logging.LogRecord, text: str) -> bytes:
        """Return the message of `record`, whose text is `text`: UTF-8 on one line."""
        return self._make(record, text)

    # -- RFC 5424

    def _new(self, record: logging.LogRecord, text: str) -> bytes:
        values = record.__dict__
        priority = self._facility + severity_of(values.get("levelno"))
        procid = _clean(_NOT_PRINTABLE, values.get(self._procid), 128)
        msgid = _clean(_NOT_PRINTABLE, values.get(self._msgid), 32)
        stamp = self._stamp(values.get("created"))
        head = f"<{priority}>1 {stamp} {self._host} {self._app} {procid} {msgid} ".encode()
        body = _encode(text, self._limit)
        room = self._limit - len(head)
        data = self._data(record, room - min(len(body) + 4, room // 2))
        return head + data + self._fit(body, room - len(data))

    def _fit(self, body: bytes, room: int) -> bytes:
        """Return a blank and the text, as much of it as there is room for."""
        room -= 1 + len(self._bom)
        return b" " + self._bom + _cut(body, room) if body and room > 0 else b""

    def _stamp(self, created: Any) -> str:
        """Return a time as RFC 3339 in UTC, or the NILVALUE."""
        try:
            second = math.floor(created)
            micros = int((created - second) * 1_000_000 + 0.5)
            if micros == 1_000_000:
                second, micros = second + 1, 0
            last, text = self._clock
            if second != last:
                if not 0 <= second < _YEAR_10000:
                    return "-"
                text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
                self._clock = (second, text)
        except Exception:  # a record made by hand
            return "-"
        return f"{text}.{micros:06d}Z"

    def _data(self, record: logging.LogRecord, room: int) -> bytes:
        """Return the structured data, with as many fields as there is room for."""
        sd_id = self._sd_id
        room -= len(sd_id) + 2 + len(b' fields_left_out="1000000"')
        if not sd_id or room < 0:
            return b"-"
        parts = [b"[", sd_id]
        left = 0
        taken: set[str] = set()
        for name, value in self._fields(record):
            if len(taken) < _MOST_FIELDS:
                key = _free(_NOT_NAME.sub("_", name[:_MOST_NAME]) or "_", taken)
                part = f' {key}="{_sd_value(value, self._limit // 4)}"'.encode(
                    "utf-8", "backslashreplace"
                )
                if len(part) <= room:
                    taken.add(key)
                    parts.append(part)
                    room -= len(part)
                    continue
            left += 1
        if left:
            parts.append(b' fields_left_out="%d"' % left)
        parts.append(b"]")
        return b"".join(parts)

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        values = record.__dict__
        for key, name in (("logger", "name"), ("level", "levelname")):
            if values.get(name) is not None:
                yield key, values[name]
        for name, value in extras(record):
            if name not in _NOISE and name not in (self._procid, self._msgid):
                yield name, value

    # -- RFC 3164

    def _old(self, record: logging.LogRecord, text: str) -> bytes:
        values = record.__dict__
        priority = self._facility + severity_of(values.get("levelno"))
        procid = _clean(_NOT_TAG, values.get(self._procid), 32)
        tag = self._tag if procid == "-" else f"{self._tag}[{procid}]"
        stamp = _old_stamp(values.get("created"))
        head = f"<{priority}>{stamp} {self._old_host}{tag}:".encode()
        return head + self._fit(_encode(text, self._limit), self._limit - len(head))


_YEAR_10000 = 253_402_300_800


def _old_stamp(created: Any) -> str:
    """Return a time as RFC 3164 has it: local, without a year; names of months are English."""
    try:
        at = time.localtime(created)
    except Exception:
        at = time.localtime()
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{min(at.tm_sec, 59):02d}"
    return f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday:2d} {clock}"


def _clean(faults: re.Pattern[str], value: object, limit: int) -> str:
    """Return a header field: what may stand in none becomes `_`; nothing becomes `-`."""
    if value is None:
        return "-"
    return faults.sub("_", _text(value)[:limit]) or "-"


def _encode(text: str, limit: int) -> bytes:
    """Return `text` in UTF-8 on one line; of far too long a one only both ends."""
    if len(text) > 2 * limit:
        text = f"{text[:limit]}{text[-limit:]}"
    if not text.isprintable():
        text = text.translate(_ESCAPES)
    return text.encode("utf-8", "backslashreplace")


def _cut(data: bytes, limit: int) -> bytes:
    """Return `data`, or its head and its end, where a traceback says what happened."""
    if len(data) <= limit:
        return data
    if limit <= 4 * len(_MARK):
        return _MARK[:limit]
    room = limit - len(_MARK)
    end, start = room - room // 3, len(data) - room // 3
    while data[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    while start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[:end] + _MARK + data[start:]


def _sd_value(value: object, limit: int) -> str:
    r"""Return a PARAM-VALUE; `"`, `\` and `]` are escaped as RFC 5424, 6.3.3 says."""
    text = _text(value)
    if len(text) > limit:
        text = f"{text[:limit]}..."
    if not text.isprintable():  # escapes first, since the RFC escapes their backslashes too
        text = text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode()
    return text.translate(_SD_ESCAPES)


def _text(value: object) -> str:
    try:
        if isinstance(value, str):
            return str.__str__(value)  # of a subclass, the text itself
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, bytes | bytearray):
            return bytes(value).decode("utf-8", "backslashreplace")
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, dict | list | tuple):
            import json  # few records need it

            return json.dumps(value, default=str, ensure_ascii=False)
        return str.__str__(str(value))
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def _free(name: str, taken: set[str]) -> str:
    """Return `name`, numbered where it is taken."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name[: _MOST_NAME - 1 - len(str(count))]}_{count}"
    return free


def _machine() -> str:
    import socket

    return socket.gethostname()


def _without_domain(host: str) -> str:
    """Return a host's own name, as RFC 3164 wants it; addresses stay whole."""
    first = host.partition(".")[0]
    return host if first.isdigit() or ":" in host else first


def _program() -> str:
    """Return the name of the script, or of the package that was run."""
    path = (getattr(sys, "argv", None) or [""])[0]
    name = os.path.basename(path)
    if name == "__main__.py":
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
    name = name.removesuffix(".py")
    return "python" if name in ("", "-", "-c", "-m") else name
