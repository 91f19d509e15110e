"""A flood of failed sign-ins under new names, on processes that share a bucket at the distance of S3. Guesses at one account are limited in
all processes together, and the writes of other accounts are hardly delayed."""

import collections
import statistics
import threading
import time

from stage import SETTINGS, Server, call, sign_up  # isort: skip, because it makes the next packages known
from cold_start import http, s3

PROCESSES = 3
# Time until the first byte of a response of S3, from a function in the same region.
LATENCY_S = 0.02
# Sign-ins at the same time in each process.
FLOOD = 8
WRITES = 30
# Guesses at one account from one address: as many are verified as `FROM_ONE_CUSTOMER` of attempts.rs says.
GUESSES = 60
VERIFIED = 10
# How much longer a write may take during the flood; a commit for each failed sign-in makes it 20 to 40 times longer at worst.
LONGEST_RATIO = 10


class DistantBucket(s3.Bucket):
    def __init__(self, folder):
        super().__init__(folder)
        self.lock = threading.Lock()

    def answer(self, *request):
        time.sleep(LATENCY_S)
        with self.lock:
            return super().answer(*request)


def guesses(options, folder):
    (folder / "bucket").mkdir()
    bucket = http.Server(DistantBucket(folder / "bucket").answer)
    settings = SETTINGS | {
        "BACKEND_STORE": "s3://bucket/guesses",
        "BACKEND_ENC_KEY": "a passphrase of the drill",
        "AWS_ENDPOINT_URL": f"http://{bucket.address}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    servers = [Server.bespoke(options.binary, folder / str(number), more=settings) for number in range(PROCESSES)]
    try:
        return play(servers)
    finally:
        for server in servers:
            server.stop()
        bucket.close()


def play(servers):
    problems = []
    jane = sign_up(servers[0], "jane")
    _, quiet_ms, _ = writes(servers[0], jane)
    statuses, over = collections.Counter(), threading.Event()
    flood = [
        threading.Thread(target=sign_in, args=(server, f"nobody-{number}-{thread}-", statuses, over))
        for number, server in enumerate(servers)
        for thread in range(FLOOD)
    ]
    began = time.monotonic()
    for thread in flood:
        thread.start()
    failed, flooded_ms, longest_ms = writes(servers[0], jane)
    over.set()
    for thread in flood:
        thread.join()
    rate = statuses[401] / (time.monotonic() - began)
    print(f"  {rate:.0f} failed sign-ins a second; writes of another: {quiet_ms:.0f} ms before, {flooded_ms:.0f} ms meanwhile")
    print(f"  the longest one: {longest_ms:.0f} ms, {longest_ms / quiet_ms:.1f} times the median before")
    if failed:
        problems.append(f"{failed} writes failed during the flood")
    if statuses.keys() - {401, 429}:
        problems.append(f"sign-ins were answered with {dict(statuses)}")
    if longest_ms > LONGEST_RATIO * quiet_ms:
        problems.append(f"a write took {longest_ms:.0f} ms during the flood")
    verified = guess(servers)
    print(f"  {verified} of {GUESSES} parallel guesses in {PROCESSES} processes were verified")
    if verified != VERIFIED:
        problems.append(f"{verified} guesses were verified, not {VERIFIED}")
    return problems


def sign_in(server, prefix, statuses, over):
    number = 0
    while not over.is_set():
        status, _ = call(server, "POST", "/signin", {"username": f"{prefix}{number}", "password": "guess"})
        statuses[status] += 1
        number += 1


def writes(server, authorization):
    """Returns the number of failures, and the median and the maximum time of the others in milliseconds."""
    times_ms, failed = [], 0
    for number in range(WRITES):
        began = time.monotonic()
        body = {"title": f"write {number}", "url": "https://example.com/", "type": "doc"}
        status, _ = call(server, "POST", "/bookmarks/jwt", body, authorization)
        failed += status != 201
        times_ms.append((time.monotonic() - began) * 1000)
    return failed, statistics.median(times_ms), max(times_ms)


def guess(servers):
    """Returns how many of the concurrent guesses were verified."""
    statuses = collections.Counter()

    def send(server):
        status, _ = call(server, "POST", "/signin", {"username": "user-1", "password": "guess"})
        statuses[status] += 1

    threads = [threading.Thread(target=send, args=(servers[number % PROCESSES],)) for number in range(GUESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses[401]
