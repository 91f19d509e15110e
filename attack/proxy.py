"""A server between the process and its bucket, which fails on demand."""

import http.client
import http.server
import threading
import time
import urllib.parse

FAULTS = ["refuses", "slow", "cut"]
SLOW_S = 3
# Not forwarded, because they are valid for one connection only.
OWN_HEADERS = {"connection", "transfer-encoding", "content-length"}


class Proxy:
    """Forwards requests to `target` and responses to the client; `fault` is one of FAULTS, or None."""

    def __init__(self, target):
        self.fault = None
        self.cut = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                try:
                    outer.handle(self, urllib.parse.urlsplit(target).netloc)
                except OSError:
                    # The server has closed the connection already.
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def handle(self, request, host):
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        fault = self.fault
        if fault == "refuses":
            request.send_response(503)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if fault == "slow":
            time.sleep(SLOW_S)
        if fault == "cut":
            self.cut += 1
            if self.cut % 2:
                # Before the request reaches the bucket; otherwise later, in the middle of the response.
                request.close_connection = True
                return
        upstream = http.client.HTTPConnection(host, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OWN_HEADERS}
        upstream.request(request.command, request.path, body, headers)
        answer = upstream.getresponse()
        text = answer.read()
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OWN_HEADERS | {"server", "date"}:
                request.send_header(name, value)
        length = answer.getheader("content-length") if request.command == "HEAD" else len(text)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        if fault == "cut":
            text = text[: len(text) // 2]
            request.close_connection = True
        if request.command != "HEAD":
            request.wfile.write(text)
        upstream.close()
