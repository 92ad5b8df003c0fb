"""A receiver of mail; needs aiosmtpd."""

import collections
import ssl
import threading
from collections.abc import Mapping

from logroute.light import Any, NamedTuple
from logroute.receivers.base import Receiver

__all__ = ["Mail", "SmtpReceiver"]


class Mail(NamedTuple):
    """A mail with its envelope; `message` is an `email.message.EmailMessage`."""

    sender: str
    recipients: list[str]
    message: Any

    @property
    def text(self) -> str:
        """The body, its lines ended as in Python."""
        content: str = self.message.get_content()
        return content.replace("\r\n", "\n")


class SmtpReceiver(Receiver):
    """Keeps mails; needs aiosmtpd.

    Attributes:
        logins: user names and passwords that were tried.
        commands: what clients said, in capitals: EHLO, MAIL ...
        greetings: the names that clients gave themselves.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
        delay_s: float = 0,
    ) -> None:
        """Listen on `port` (0: any free one).

        Args:
            port: where.
            starttls: offer STARTTLS with this context.
            tls: speak TLS from the first byte, with this context.
            users: passwords of those who may log in; None: AUTH is not offered.
            delay_s: time to take over each mail.
        """
        super().__init__()
        self.logins: list[tuple[str, str]] = []
        self.commands: list[str] = []
        self.greetings: list[str] = []
        self.delay_s = delay_s
        self._wanted_port = port
        self._starttls = starttls
        self._tls = tls
        self._users = users
        self._script: dict[str, collections.deque[str]] = collections.defaultdict(collections.deque)
        self._hang_ups = 0
        self._address = ""
        self._loop: Any = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._address

    def answer(self, command: str, text: str, times: int = 1) -> None:
        """Answer the next `times` MAIL, RCPT or DATA with `text`, such as `550 no`."""
        self._script[command].extend([text] * times)

    def hang_up(self, times: int = 1) -> None:
        """Take the next `times` mails, and end the connection instead of saying so."""
        self._hang_ups += times

    def start(self) -> None:
        """Listen; returns when connections are accepted.

        Raises:
            ImportError: aiosmtpd is not installed.
        """
        import asyncio

        smtp_class = _import_aiosmtpd()
        self._stopping.clear()
        ready = threading.Event()
        fault: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._serve(smtp_class, ready))
            except BaseException as error:
                fault.append(error)
            ready.set()

        self._thread = threading.Thread(target=run, name=type(self).__name__)
        self._thread.start()
        ready.wait()
        if fault:
            self._thread.join()
            raise fault[0]

    def stop(self) -> None:
        """Close everything; returns when the thread has ended."""
        self._stopping.set()
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()
            self._thread = None

    async def _serve(self, smtp_class: Any, ready: threading.Event) -> None:
        import asyncio
        import logging

        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        options: dict[str, Any] = {"auth_require_tls": self._starttls is not None}
        if self._users is None:
            options["auth_exclude_mechanism"] = ["LOGIN", "PLAIN"]
        else:
            options["authenticator"] = self._authenticate

        def make() -> Any:
            self._note_connection()
            return smtp_class(
                _Hooks(self), hostname="localhost", loop=self._loop, tls_context=self._starttls,
                enable_SMTPUTF8=True, data_size_limit=None, **options,
            )  # fmt: skip

        def keep_fault(_: Any, context: dict[str, Any]) -> None:
            self._note_fault(context.get("exception") or RuntimeError(context["message"]))

        self._loop.set_exception_handler(keep_fault)
        # aiosmtpd tells of each session in the log of the program under test.
        quiet = logging.getLogger("mail.log")
        level = quiet.level
        quiet.setLevel(logging.CRITICAL + 1)
        try:
            server = await self._loop.create_server(
                make, self.host, self._wanted_port, ssl=self._tls
            )
            host, port = server.sockets[0].getsockname()[:2]
            self._address = f"{host}:{port}"
            ready.set()
            await self._over.wait()
            for sock in server.sockets:
                self._loop.remove_reader(sock.fileno())
            await asyncio.sleep(0)  # who was accepted just now gets what owns its socket
            server.close()
            await _end_connections(self._loop)
        finally:
            quiet.setLevel(level)

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> Any:
        from aiosmtpd.smtp import AuthResult

        user, password = data.login.decode(), data.password.decode()
        self.logins.append((user, password))
        good = self._users is not None and self._users.get(user) == password
        return AuthResult(success=good, handled=False)

    def _reply_to(self, command: str) -> str | None:
        self.commands.append(command)
        script = self._script[command]
        return script.popleft() if script else None


def _import_aiosmtpd() -> Any:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from aiosmtpd.smtp import SMTP
    except ImportError as fault:
        text = "the mail receiver needs aiosmtpd: pip install logroute[demo]"
        raise ImportError(text) from fault
    return SMTP


async def _end_connections(loop: Any) -> None:
    """Close what clients left open, and wait for its tasks.

    The loop knows the transports. Those that sessions know do not do: aiosmtpd closes an
    encrypted one twice, after which asyncio's has forgotten what it stands on.
    """
    import asyncio

    for transport in list(loop._transports.values()):
        transport.abort()
    mine = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not mine]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Hooks:
    """What aiosmtpd calls in a session."""

    def __init__(self, receiver: SmtpReceiver) -> None:
        self._receiver = receiver

    async def handle_EHLO(  # noqa: N802
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self._receiver._reply_to("EHLO")
        self._receiver.greetings.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        reply = self._receiver._reply_to("MAIL")
        if reply is None:
            envelope.mail_from = address
        return reply or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        reply = self._receiver._reply_to("RCPT")
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Any, _session: Any, envelope: Any
    ) -> str:
        import asyncio
        from email import message_from_bytes, policy

        receiver = self._receiver
        reply = receiver._reply_to("DATA")
        if receiver.delay_s:
            await asyncio.sleep(receiver.delay_s)
        if reply is None:
            message = message_from_bytes(envelope.content, policy=policy.default)
            receiver._keep(Mail(envelope.mail_from, list(envelope.rcpt_tos), message))
        if receiver._hang_ups:
            receiver._hang_ups -= 1
            server.transport.abort()
        return reply or "250 OK"
