"""Several `bespoke serve` processes on one bucket, which are killed, stopped and paused at random."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.parse

from stage import ROOT, SETTINGS, Server

# Timeout of a call.
ANSWER_LIMIT_S = 5
COMMAND_LIMIT_S = 120
BUCKET = "bespoke"
# The longest one outlasts the lock in `head`, so that the process loses it.
PAUSES_S = (0.1, 0.5, 2, 11)
NO_ANSWER = "no answer"


class Cluster:
    """`count` processes; `folders` names the data folder of each."""

    def __init__(self, binary, folders, settings):
        self.binary, self.folders, self.settings = binary, folders, SETTINGS | settings
        self.servers = [Server.bespoke(binary, folder, more=self.settings) for folder in folders]
        self.urls = [server.url for server in self.servers]
        self.faults = dict.fromkeys(("SIGKILL", "SIGTERM", "SIGSTOP"), 0)
        self.problems = []

    def call(self, process, method, path, body=None, authorization=None, headers=None):
        """Status, JSON and headers of a response; `NO_ANSWER` if there is none."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.urls[process]).netloc, timeout=ANSWER_LIMIT_S)
        more = {"Content-Type": "application/json"} | (headers or {}) | ({"Authorization": authorization} if authorization else {})
        try:
            connection.request(method, path, None if body is None else json.dumps(body), more)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None, answer.headers
        except (OSError, http.client.HTTPException, ValueError):
            return NO_ANSWER, None, {}
        finally:
            connection.close()

    def everywhere(self, ask):
        """Returns the results of `ask(process)` for all processes, which run concurrently."""
        answers = [None] * len(self.urls)

        def one(process):
            answers[process] = ask(process)

        threads = [threading.Thread(target=one, args=(process,), daemon=True) for process in range(len(self.urls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def disturb(self, dice, stopped):
        """Injects one fault after the other until the end."""
        while not stopped.wait(dice.uniform(0.2, 2)):
            process, fault = dice.randrange(len(self.servers)), dice.choice(list(self.faults))
            self.faults[fault] += 1
            server = self.servers[process]
            if fault == "SIGSTOP":
                server.process.send_signal(signal.SIGSTOP)
                stopped.wait(dice.choice(PAUSES_S))
                server.process.send_signal(signal.SIGCONT)
                continue
            server.stop(getattr(signal, fault))
            port = int(self.urls[process].rsplit(":", 1)[1])
            try:
                self.servers[process] = Server.bespoke(self.binary, self.folders[process], more=self.settings, port=port)
            except SystemExit as error:
                self.problems.append(f"process {process} does not start again after {fault}: {error}")
                return

    def command(self, *arguments):
        """Runs a command on the bucket. Returns its exit code, output and log."""
        ran = subprocess.run(
            [self.binary, *arguments, "--data", self.folders[0]], env=os.environ | self.settings,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_LIMIT_S,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def stop(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
                server.stop()


class Bucket:
    """A bucket of S3 on loopback, for as long as it is needed."""

    def __init__(self):
        script = ROOT / "shared/storage/tests/support/s3_server.py"
        command = [ROOT / ".venv/bin/python", script, BUCKET]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.settings = {
            "BACKEND_STORE": f"s3://{BUCKET}/attack",
            "AWS_ENDPOINT_URL": self.process.stdout.readline().strip(),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }

    def stop(self):
        self.process.kill()
        self.process.wait()


def until(deadline, attempt):
    """Repeats `attempt` until it returns a value, at most until the deadline."""
    while time.monotonic() < deadline:
        result = attempt()
        if result is not None:
            return result
        time.sleep(0.05)
    return None
