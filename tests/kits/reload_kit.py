"""A config file that tests rewrite, and loopback servers that count connections."""

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Self

import logroute

FORMAT = "formatters: {bare: {format: '%(levelname)s %(name)s %(message)s'}}\n"
BASE = (
    "version: 1\n"
    + FORMAT
    + """\
handlers:
  out: {type: file, path: DIR/out.log, formatter: bare}
root: {level: INFO}
routes: [{to: [out]}]
"""
)


class File:
    """One config in a folder, where `DIR` stands for the folder."""

    def __init__(self, folder: Path, text: str = BASE, name: str = "logging.yaml") -> None:
        self.folder = folder
        self.path = folder / name
        self.write(text)

    def write(self, text: str) -> None:
        """Put `text` in the file's place, as an editor does that renames."""
        new = self.folder / "new~"
        new.write_text(text.replace("DIR", str(self.folder)))
        os.replace(new, self.path)

    def configure(self, **options):
        return logroute.configure(str(self.path), **options)

    def reload(self, text: str):
        self.write(text)
        return logroute.reload()

    def lines(self, name: str = "out.log") -> list[str]:
        """Return what the application logged, without what logroute says of itself."""
        return [line for line in self.all_lines(name) if " logroute " not in line]

    def all_lines(self, name: str = "out.log") -> list[str]:
        assert logroute.flush(20)
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


class LineServer:
    """Takes lines over TCP; knows how often somebody connected."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._read, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                self.lines.extend(line.rstrip(b"\n") for line in stream)
            except OSError:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)
