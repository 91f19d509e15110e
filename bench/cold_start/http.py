"""A minimal HTTP/1.1 server for the programs here, with one thread per connection."""

import socket
import threading


class Server:
    """Sends the result of `answer(method, path, headers, body)`: status, headers, body. None sends no response and waits."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb", buffering=1 << 16) as stream:
            try:
                while request := read(stream):
                    answer = self.answer(*request)
                    if answer is None:
                        # Until the client closes the connection.
                        stream.read(1)
                        return
                    connection.sendall(packed(request[0], *answer))
            except (ConnectionError, ValueError):
                return

    def close(self):
        self.listener.close()


def read(stream):
    """Method, path, headers and body; None if the connection ended."""
    line = stream.readline().decode("latin-1").split()
    if len(line) < 2:
        return None
    headers = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        # The trailer after the last chunk.
        while stream.readline().strip():
            pass
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    return line[0], line[1], headers, body


def packed(method, status, headers, body):
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
    if status not in (204, 304):
        lines.append(f"content-length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head if method == "HEAD" or status in (204, 304) else head + body
