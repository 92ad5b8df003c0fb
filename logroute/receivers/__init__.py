"""Loopback servers that keep what they are sent, for demos and tests.

Each is a context manager with an `address`, a `received` list and `wait_for`;
each runs in threads of its own, which have ended and whose sockets are closed
when the context is left. They listen on 127.0.0.1 or on a unix socket, nowhere
else, and never interpret what they receive: a pickle stays bytes.
"""

from logroute.receivers.base import Receiver
from logroute.receivers.mail import Mail, SmtpReceiver
from logroute.receivers.stream import TcpReceiver, UdpReceiver
from logroute.receivers.web import HttpReceiver, HttpRequest

__all__ = [
    "HttpReceiver",
    "HttpRequest",
    "Mail",
    "Receiver",
    "SmtpReceiver",
    "TcpReceiver",
    "UdpReceiver",
]
