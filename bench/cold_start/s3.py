"""A bucket of S3 on loopback that is as fast as a directory, because it is no complete emulator. It reads the objects of
a directory store and stores PUT objects in memory: s3.py FOLDER. Prints its address, and exits when its standard input is closed."""

import email.utils
import hashlib
import os
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from cold_start.http import Server  # noqa: E402

# In front of each object of a directory store: its tag, and the time of its PUT.
HEADER_BYTES = 24


class Bucket:
    def __init__(self, folder):
        self.objects = {}
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                self.put(str(path.relative_to(folder)), path.read_bytes()[HEADER_BYTES:])

    def put(self, key, body):
        self.objects[key] = (body, f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def answer(self, method, path, headers, body):
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
    print(f"http://{Server(Bucket(sys.argv[1]).answer).address}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)
