"""A relay of TCP connections: it counts what the server sends, and with it the server can go, come back and change."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CONNECT_SECONDS = 5
"""Maximum time for a connection to the server."""


@dataclass
class Relay:
    """A running relay."""

    port: int
    address: str
    """Where new connections lead."""
    sent: int = 0
    """Bytes that came from the server."""
    sockets: list[socket.socket] = field(default_factory=list)

    def end(self) -> None:
        """End all connections and accept no more."""
        _end(*self.sockets)
        self.sockets[0].close()


@contextmanager
def relay(address: str, at: int = 0) -> Iterator[Relay]:
    """Relay connections to a port of this machine, a free one or the given one, until the block ends."""
    with socket.create_server(("127.0.0.1", at)) as listening:
        running = Relay(listening.getsockname()[1], address, sockets=[listening])

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    host, port = running.address.removeprefix("http://").rsplit(":")
                    try:
                        server = socket.create_connection((host, int(port)), CONNECT_SECONDS)
                    except OSError:  # as if the client had tried itself
                        client.close()
                        continue
                    server.settimeout(None)
                    running.sockets += [client, server]
                    for source, target in ((client, server), (server, client)):
                        threading.Thread(target=pump, args=(source, target, source is server), daemon=True).start()

        def pump(source: socket.socket, target: socket.socket, is_server: bool) -> None:
            with suppress(OSError):
                while content := source.recv(1 << 16):
                    running.sent += len(content) if is_server else 0
                    target.sendall(content)
            _end(source, target)
            source.close()
            target.close()

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield running
        finally:
            running.end()
            serving.join()


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
