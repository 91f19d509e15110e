"""An emulator of Lambda for one process and one event, from its start to the response that it posts."""

import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time

from .http import Server

REQUEST_ID = "00000000-0000-4000-8000-000000000001"
LIMIT_S = 20


class RuntimeApi:
    """Serves one event once, and receives its response."""

    def __init__(self):
        self.server = Server(self.answer)
        self.reset(b"")

    def reset(self, event):
        self.event, self.response, self.at = event, None, 0.0
        self.done = threading.Event()

    def answer(self, method, path, _headers, body):
        if path.endswith("/extension/register"):
            said = {"functionName": "bench", "functionVersion": "$LATEST", "handler": "bootstrap"}
            return 200, {"lambda-extension-identifier": "bench"}, json.dumps(said).encode()
        if path.endswith("/runtime/invocation/next") and self.event is not None:
            event, self.event = self.event, None
            return 200, headers(), event
        if method == "POST":
            self.at = time.perf_counter()
            self.response = (path.rsplit("/", 1)[-1], body)
            self.done.set()
            return 202, {}, b""
        # There is no second event, so the call waits.
        return None


def headers():
    return {
        "lambda-runtime-aws-request-id": REQUEST_ID,
        "lambda-runtime-deadline-ms": int((time.time() + LIMIT_S) * 1000),
        "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:bench",
        "lambda-runtime-trace-id": "Root=1-6955b900-0123456789abcdef00000000;Sampled=0",
        "content-type": "application/json",
    }


def environment(api, more):
    """The environment variables that Lambda sets, without settings of the project."""
    return {
        "AWS_LAMBDA_RUNTIME_API": api.server.address,
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
        "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "_HANDLER": "bootstrap",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **more,
    }


def start_cold(api, command, settings, event, cpu):
    """Starts a process on that CPU for that event. Returns the time to its response in ms, its peak memory in KB, and the response."""
    api.reset(json.dumps(event).encode())
    env = environment(api, settings)
    nowhere, log = os.open(os.devnull, os.O_RDWR), tempfile.TemporaryFile()
    to = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate((nowhere, nowhere, log.fileno()))]
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    began = time.perf_counter()
    pid = os.posix_spawn(command[0], command, env, file_actions=to)
    os.sched_setaffinity(0, before)
    os.close(nowhere)
    try:
        deadline = time.monotonic() + LIMIT_S
        while not api.done.wait(0.5):
            if time.monotonic() > deadline or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                log.seek(0)
                sys.exit(f"{command} did not answer: {log.read()[-2000:].decode()}")
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    kind, body = api.response
    if kind != "response":
        sys.exit(f"{command} failed: {body[:500]}")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return (api.at - began) * 1000, int(peak.group(1)), json.loads(body)
