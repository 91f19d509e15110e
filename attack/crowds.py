"""Crowds of idle clients, slow clients, and clients with large bodies. Other requests are still served, and memory is bounded."""

import collections
import json
import resource
import socket
import statistics
import threading
import time
import urllib.parse

from stage import SETTINGS, Server, call, sign_up

# As `HEADER_DEADLINE_S`, `BODY_DEADLINE_S` and `WRITE_DEADLINE_S` of the server, and time to act on them.
DEADLINE_S = 30
DEADLINE_LIMIT_S = 50
ANSWER_LIMIT_S = 2
SLOW_CLIENTS = 300
HEAVY_CLIENTS = 200
HEAVY_BYTES = 12 * 1024 * 1024 - 100
MEMORY_LIMIT_BYTES = 800 * 1024 * 1024
# Longer than the longest head that is read, and shorter.
HEAD_BYTES = (62_000, 15_000)
# Memory that unfinished heads may take in the server: their budget, and for each connection the buffer of the HTTP library.
HEADS_LIMIT_BYTES = 16 * 1024 * 1024
CONNECTION_LIMIT_BYTES = 24 * 1024
# Memory that may remain in use after the connections are closed, and the time until then.
REMAINING_LIMIT_BYTES = 64 * 1024 * 1024
RELEASE_LIMIT_S = 30
# The usual soft limit of open files per process.
SOFT_FILES = 1024


def start(options, folder):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    few_files = ["bash", "-c", f'ulimit -Sn {SOFT_FILES}; exec "$@"', "-"]
    return Server.bespoke(options.binary, folder, more=SETTINGS, prefix=few_files)


def connect(server, receive_bytes=None):
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.settimeout(DEADLINE_LIMIT_S)
    url = urllib.parse.urlsplit(server.url)
    client.connect((url.hostname, url.port))
    return client


def memory_bytes(server, field="VmRSS"):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def others(server, authorization, count=100):
    """Problems of requests of another client in the meantime."""
    times = []
    for _ in range(count):
        began = time.monotonic()
        status, _ = call(server, "GET", "/account/jwt", authorization=authorization)
        times.append(time.monotonic() - began)
        if status != 200:
            return [f"another client got {status}"]
    print(f"  others: median {statistics.median(times) * 1000:.1f} ms, longest {max(times) * 1000:.0f} ms; "
          f"memory {memory_bytes(server) / 1e6:.0f} MB")
    return [f"another client waited {max(times):.1f} s"] if max(times) > ANSWER_LIMIT_S else []


def ended(clients):
    """The number of connections that the server has closed by the deadline."""
    limit = time.monotonic() + DEADLINE_LIMIT_S
    open_ones = list(clients)
    while open_ones and time.monotonic() < limit:
        time.sleep(1)
        open_ones = [client for client in open_ones if not is_ended(client)]
    return len(clients) - len(open_ones)


def is_ended(client, wait_s=0):
    """Whether the server has closed the connection. Earlier responses are read first."""
    client.settimeout(wait_s)
    try:
        while client.recv(1 << 20):
            pass
        return True
    except (BlockingIOError, TimeoutError):
        return False
    except OSError:
        return True


def idle(options, folder):
    """Thousands of idle connections."""
    server = start(options, folder)
    jane = sign_up(server, "jane")
    before = memory_bytes(server)
    clients = []
    for _ in range(options.connections):
        clients.append(connect(server))
    # Half of them have sent the beginning of a request.
    for client in clients[::2]:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half")
    problems = others(server, jane)
    print(f"  {len(clients):,} connections, {(memory_bytes(server) - before) / len(clients):.0f} bytes each")
    gone = ended(clients)
    print(f"  {gone:,} were closed by the server")
    problems += [] if gone == len(clients) else [f"{len(clients) - gone} connections are still open"]
    problems += others(server, jane)
    server.stop()
    return problems


def heads(options, folder):
    """Thousands of connections with a long head that is not finished: too long ones are refused, the others share a budget."""
    server = start(options, folder)
    jane = sign_up(server, "jane")
    before, problems = memory_bytes(server), []
    for head_bytes in HEAD_BYTES:
        head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * head_bytes
        clients = [connect(server) for _ in range(options.connections)]
        for client in clients:
            try:
                client.sendall(head)
            except OSError:
                pass  # It is refused already.
        problems += others(server, jane)
        grown = memory_bytes(server) - before
        limit = HEADS_LIMIT_BYTES + len(clients) * CONNECTION_LIMIT_BYTES
        print(f"  {len(clients):,} heads of {head_bytes:,} bytes: {grown / 1e6:.0f} MB more")
        problems += [f"unfinished heads take {grown / 1e6:.0f} MB"] if grown > limit else []
        answers = collections.Counter(first_line(client, 0.1) for client in clients[:: max(1, len(clients) // 100)])
        print(f"  a hundred of them were answered {dict(answers)}")
        for client in clients:
            client.close()
        limit = time.monotonic() + RELEASE_LIMIT_S
        while (remaining := memory_bytes(server) - before) > REMAINING_LIMIT_BYTES and time.monotonic() < limit:
            time.sleep(1)
        print(f"  {remaining / 1e6:.0f} MB more after they are closed")
        problems += [f"{remaining / 1e6:.0f} MB are not released"] if remaining > REMAINING_LIMIT_BYTES else []
    problems += others(server, jane)
    server.stop()
    return problems


def drip(client, stopped, data=b"x"):
    """Sends single bytes slowly, until the server closes the connection."""
    while not stopped.is_set():
        try:
            client.sendall(data)
        except OSError:
            return
        time.sleep(1)


def slow(options, folder):
    """Heads and bodies that arrive byte by byte, and responses that are never read."""
    server = start(options, folder)
    jane = sign_up(server, "jane")
    heads, bodies, readers = ([connect(server, 4096 if kind == 2 else None) for _ in range(SLOW_CLIENTS)] for kind in range(3))
    stopped = threading.Event()
    for client in heads:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    for number, client in enumerate(bodies):
        path, authorization = ("/sets/jwt", jane) if number % 2 else ("/signup", "")
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{{"
        client.sendall(head.encode())
    for client in readers:
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    drips = [threading.Thread(target=drip, args=(client, stopped), daemon=True) for client in heads + bodies]
    for thread in drips:
        thread.start()
    problems = others(server, jane)
    time.sleep(DEADLINE_LIMIT_S)
    answers = collections.Counter(first_line(client) for client in bodies)
    print(f"  slow bodies were answered {dict(answers)}")
    counts = {kind: sum(is_ended(client, 0.2) for client in clients) for kind, clients in (("heads", heads), ("readers", readers))}
    print(f"  ended by the server: {counts}")
    problems += [f"{SLOW_CLIENTS - count} slow {kind} are still open" for kind, count in counts.items() if count < SLOW_CLIENTS]
    problems += [] if set(answers) == {"HTTP/1.1 408 Request Timeout"} else ["slow bodies got another response"]
    stopped.set()
    problems += others(server, jane)
    server.stop()
    return problems


def first_line(client, wait_s=5):
    client.settimeout(wait_s)
    try:
        return client.recv(4096).split(b"\r\n")[0].decode()
    except OSError as error:
        return type(error).__name__


def bodies(options, folder):
    """Many concurrent bodies of 12 MB."""
    server = start(options, folder)
    jane = sign_up(server, "jane")
    body = json.dumps({"name": "x", "notes": "x" * HEAVY_BYTES}).encode()[:-1] + b"}"
    answers, lock = collections.Counter(), threading.Lock()

    def send():
        try:
            client = connect(server)
            head = f"POST /sets/jwt HTTP/1.1\r\nHost: x\r\nAuthorization: {jane}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode())
            client.sendall(body)
            answer = first_line(client)
        except OSError as error:
            answer = type(error).__name__
        with lock:
            answers[answer] += 1

    before = memory_bytes(server)
    crowd = [threading.Thread(target=send, daemon=True) for _ in range(HEAVY_CLIENTS)]
    for thread in crowd:
        thread.start()
    problems = others(server, jane)
    for thread in crowd:
        thread.join()
    peak = memory_bytes(server, "VmHWM")
    print(f"  {HEAVY_CLIENTS} bodies of {len(body):,} bytes: {dict(answers)}; memory {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most")
    problems += [f"memory grew to {peak / 1e6:.0f} MB"] if peak > MEMORY_LIMIT_BYTES else []
    problems += others(server, jane)
    server.stop()
    return problems
