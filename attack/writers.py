"""A load of writes. Records the acknowledged writes, and checks afterwards that each is stored exactly once."""

import collections
import http.client
import json
import threading
import time
import urllib.parse
import uuid

ANSWER_LIMIT_S = 60
RETRY_PAUSE_S = 0.05
PAGE = 500


class Writers:
    """Threads that create sets. Each write is repeated until it is acknowledged: if its response is lost, it is sent again with its
    Idempotency-Key."""

    def __init__(self, url, authorization, method="jwt", threads=8):
        self.host = urllib.parse.urlsplit(url).netloc
        self.path = f"/sets/{method}"
        self.headers = {"Authorization": authorization, "Content-Type": "application/json"}
        self.acknowledged = []
        self.refused = collections.Counter()
        self.longest_gap_s = 0.0
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.last = time.monotonic()
        self.threads = [threading.Thread(target=self.write, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def write(self):
        connection = None
        while not self.stopped.is_set():
            name = str(uuid.uuid4())
            while not self.stopped.is_set():
                connection = connection or http.client.HTTPConnection(self.host, timeout=ANSWER_LIMIT_S)
                status = self.send(connection, name)
                if status == 201:
                    self.note(name)
                    break
                self.refused[status] += 1
                if isinstance(status, str):
                    connection.close()
                    connection = None
                time.sleep(RETRY_PAUSE_S)

    def send(self, connection, name):
        headers = self.headers | {"Idempotency-Key": name}
        try:
            connection.request("POST", self.path, json.dumps({"name": name, "measies": {"chest": 930}}), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return "no answer"

    def note(self, name):
        with self.lock:
            now = time.monotonic()
            self.longest_gap_s = max(self.longest_gap_s, now - self.last)
            self.last = now
            self.acknowledged.append(name)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def missing(self, server_url):
        """Returns the acknowledged sets that are missing, and the sets that exist twice."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(server_url).netloc, timeout=ANSWER_LIMIT_S)
        there, after = collections.Counter(), ""
        while True:
            connection.request("GET", f"{self.path}?limit={PAGE}{after}", headers=self.headers)
            answer = connection.getresponse()
            sets = json.load(answer)["sets"]
            there.update(one["name"] for one in sets)
            if len(sets) < PAGE:
                break
            after = f"&after={sets[-1]['id']}"
        return [name for name in self.acknowledged if name not in there], [name for name, count in there.items() if count > 1]
