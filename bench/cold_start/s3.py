"""A bucket of S3 on loopback, as fast as a directory or as far away as S3. It is no complete emulator: it reads the objects of
a directory store and stores PUT objects in memory. Prints its address, and exits when its standard input is closed."""

import argparse
import email.utils
import hashlib
import os
import pathlib
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from cold_start.http import Server  # noqa: E402

# In front of each object of a directory store: its tag, and the time of its PUT.
HEADER_BYTES = 24


class Distance:
    """Delays each request by a latency, and bodies by the rate that all connections share."""

    def __init__(self, latency_ms, rate_mb):
        self.latency_s, self.rate = latency_ms / 1e3, rate_mb * 1e6
        self.lock, self.free_at = threading.Lock(), 0.0

    def travel(self):
        if self.latency_s:
            time.sleep(self.latency_s)

    def transfer(self, size):
        if not self.rate or not size:
            return
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + size / self.rate
            wait_s = self.free_at - now
        time.sleep(wait_s)


class Bucket:
    def __init__(self, folder, distance):
        self.objects, self.distance = {}, distance
        # A condition and its PUT are one step.
        self.lock = threading.Lock()
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                self.put(str(path.relative_to(folder)), path.read_bytes()[HEADER_BYTES:])

    def put(self, key, body):
        self.objects[key] = (body, f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def answer(self, method, path, headers, body):
        self.distance.transfer(len(body))
        self.distance.travel()
        with self.lock:
            status, headers, body = self.respond(method, path, headers, body)
        self.distance.transfer(len(body))
        return status, headers, body

    def respond(self, method, path, headers, body):
        key = urllib.parse.unquote(path.partition("?")[0]).lstrip("/").partition("/")[2]
        now = email.utils.formatdate(usegmt=True)
        shared = {"date": now, "last-modified": now}
        body_now, tag = self.objects.get(key, (None, None))
        if method == "PUT":
            wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
            if (wanted and wanted != tag) or (unwanted and tag):
                return 412, shared, b""
            self.put(key, body)
            return 200, shared | {"etag": self.objects[key][1]}, b""
        if method == "DELETE":
            self.objects.pop(key, None)
            return 204, shared, b""
        if "list-type=2" in path:
            # Only the listing of a new bucket matters here.
            return 200, shared, b"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>"
        if body_now is None:
            return 404, shared, b"<Error><Code>NoSuchKey</Code></Error>"
        shared["etag"] = tag
        if headers.get("if-none-match") == tag:
            return 304, shared, b""
        wanted = headers.get("range", "").removeprefix("bytes=")
        if wanted:
            first, _, last = wanted.partition("-")
            return 206, shared, body_now[int(first) : int(last) + 1]
        return 200, shared, body_now


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="objects of a directory store; may be empty")
    parser.add_argument("--latency-ms", default=0, type=float, help="time until a response begins")
    parser.add_argument("--rate-mb", default=0, type=float, help="megabytes a second of all connections; 0: no limit")
    options = parser.parse_args()
    bucket = Bucket(options.folder, Distance(options.latency_ms, options.rate_mb))
    print(f"http://{Server(bucket.answer).address}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)
