"""Loopback servers that fail as a seed says.

Each has `got`, the marks that it has taken, and `do`, which changes its ways.
"""

import contextlib
import ipaddress
import os
import re
import select
import socket
import sys
import threading
import time

from network_kit import deaf, reset

from logroute.receivers import HttpReceiver, SmtpReceiver, UdpReceiver

#: The number of a record, as it stands in every message.
MARK = re.compile(rb"#(\w+\.\d+\.\d+)#")
#: Of this process alone: a port that is free while a server is down goes to nobody else.
HOST = (
    str(ipaddress.ip_address("127.64.0.0") + os.getpid())
    if sys.platform == "linux"
    else "127.0.0.1"
)


class Peer(threading.Thread):
    """Takes frames over TCP; what its kernel has acknowledged, it has read in the end."""

    WAYS = ("stall", "down", "crash")

    def __init__(self, is_octets=False):
        super().__init__()
        self.got = []
        self.way = "up"
        self._split = _octets if is_octets else _lines
        self._listener = None
        self.port = 0
        self._listen()
        self._open = {}
        self._is_over = False
        self.start()

    def do(self, way, _chance):
        self.way = way

    def _listen(self):
        self._listener = socket.create_server((HOST, self.port))
        # Small, so that a stall soon leaves records on the sender's side of the wire.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]

    @property
    def is_listening(self):
        return self._listener is not None

    def run(self):
        while not self._is_over or self._read(0.3):
            if self.way == "up" and self._listener is None:
                with contextlib.suppress(OSError):  # somebody's other end has the port yet
                    self._listen()
            if self.way in ("down", "crash") and self._listener is not None:
                with deaf(self._listener):
                    while self._accept():
                        pass
                    self._listener.close()
                self._listener = None
                self._hang_up(self.way == "crash")
            time.sleep(0.005) if self.way == "stall" else self._read(0.01)
        self._hang_up(True)
        if self._listener is not None:
            self._listener.close()

    def _hang_up(self, is_crash):
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                if not is_crash:
                    sock.shutdown(socket.SHUT_WR)  # read on, until the other end has seen it
                    continue
                with deaf(sock):
                    while self._take(sock):
                        pass
                    self._open.pop(sock, None)
                    reset(sock)

    def _read(self, timeout_s):
        sockets = [*self._open, *([self._listener] if self._listener else [])]
        ready = select.select(sockets, [], [], timeout_s)[0]
        for sock in ready:
            if sock is self._listener:
                self._accept()
            elif not self._take(sock):
                sock.close()
                self._open.pop(sock, None)
        return ready

    def _accept(self):
        try:
            accepted = self._listener.accept()[0]
        except BlockingIOError:
            return False
        accepted.setblocking(False)
        self._open[accepted] = b""
        return True

    def _take(self, sock):
        """Take what is there; return whether more may come."""
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        frames, self._open[sock] = self._split(self._open[sock] + data)
        for frame in frames:
            self.got += MARK.findall(frame)
        return bool(data)

    def end(self):
        self.way, self._is_over = "up", True
        self.join()


def _lines(data):
    whole, _, rest = data.rpartition(b"\n")
    return whole.split(b"\n"), rest


def _octets(data):
    frames = []
    while (at := data.find(b" ")) > 0:
        size = int(data[:at])
        if len(data) < at + 1 + size:
            break
        frames.append(data[at + 1 : at + 1 + size])
        data = data[at + 1 + size :]
    return frames, data


class Web(HttpReceiver):
    """Answers as it is told; `got` has the records of requests that it answered with 200."""

    host = HOST
    WAYS = ("503", "400", "429", "413", "stall", "down")
    HEADERS = {"503": {"Retry-After": "0"}, "429": {"Retry-After": "1"}}

    def __init__(self, got, port=0):
        super().__init__(port=port)
        self.got = got
        self.way = "up"
        self.start()

    def _take(self, request):
        way, marks = self.way, MARK.findall(request.body)
        status = int(way) if way.isdigit() else 200
        if way == "413" and len(marks) <= 5:
            status = 200
        if status == 200:
            self.got += marks
        delay_s = 0.6 if way == "stall" else 0
        return self._default._replace(
            status=status, headers=self.HEADERS.get(way, {}), delay_s=delay_s
        )


class Store(Web):
    """Fails like others, but refuses nothing for good."""

    WAYS = ("503", "429", "413", "stall", "down")


class Mails(SmtpReceiver):
    """Takes mails, or refuses them."""

    host = HOST
    WAYS = ("451", "550", "stall", "down", "hang up")

    def __init__(self, got, port=0):
        super().__init__(port=port)
        self.got = got
        self.way = "up"
        self.start()

    def _keep(self, mail):
        self.got += MARK.findall(mail.text.encode())

    def _reply_to(self, command):
        self.delay_s = 0.6 if self.way == "stall" else 0
        self._hang_ups = int(self.way == "hang up")
        if self.way.isdigit() and command in ("RCPT", "DATA"):
            return f"{self.way} no"
        return None


class Datagrams(UdpReceiver):
    """Takes datagrams."""

    host = HOST
    WAYS = ("down",)

    def __init__(self, got, port=0):
        super().__init__(port=port)
        self.got = got
        self.way = "up"
        self.start()

    def _keep(self, data):
        self.got += MARK.findall(data)


class Restarted:
    """A receiver that another one replaces when it comes back."""

    def __init__(self, make):
        self.got = []
        self._make = make
        self._server = make(self.got)
        self.port = self._server.port
        self.WAYS = make.WAYS

    def do(self, way, _chance):
        if way == "down":
            self.end()
            return
        if self._server is None:
            try:
                self._server = self._make(self.got, self.port)
            except OSError:  # a connection of before still has the port
                return
        self._server.way = way

    def end(self):
        if self._server is not None:
            self._server.stop()
            self._server = None


class Servers:
    """All servers, and the thread that spoils them."""

    def __init__(self, chance):
        self.all = {
            "lines": Peer(),
            "wire": Peer(is_octets=True),
            "dgram": Restarted(Datagrams),
            "web": Restarted(Web),
            "hook": Restarted(Web),
            "mail": Restarted(Mails),
            "saved": Peer(),
            "post": Restarted(Store),
        }
        #: These stay well, so they get nothing twice.
        self.calm = set(chance.sample(sorted(self.all), 2))
        self._chance = chance
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spoil)
        self._thread.start()

    def _spoil(self):
        chance, wild = self._chance, sorted(set(self.all) - self.calm)
        while not self._over.wait(chance.expovariate(20)):
            server = self.all[chance.choice(wild)]
            server.do(chance.choice(("up", "up", *server.WAYS)), chance)

    def rest(self, *, heal=()):
        """Spoil no more; let those that `heal` names come back."""
        self._over.set()
        self._thread.join()
        for name in heal:
            server = self.all[name]
            give_up_at = time.monotonic() + 3
            while time.monotonic() < give_up_at:
                server.do("up", self._chance)
                if getattr(server, "_server", True) is not None:
                    break
                time.sleep(0.02)

    def choke(self, name):
        """Let a server take for a while, then read nothing until there is a backlog on the wire."""
        for way, seconds in (("up", 0.3), ("stall", 0.15)):
            self.all[name].do(way, self._chance)
            time.sleep(seconds)

    def crash(self, name):
        """End a server so that what it has not read is lost."""
        server = self.all[name]
        server.do("crash", self._chance)
        while server.is_listening:
            time.sleep(0.005)

    def end(self):
        for server in self.all.values():
            server.end()
