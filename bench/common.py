"""What the scripts here share: the binary and its settings, the tools of Debian that they load it with, and a server to be measured."""

import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = TARGET / "release/bespoke"
# Limits are counted as they always are, and never reached. Tokens are bound to the URL.
SETTINGS = {
    "BACKEND_LIMIT_PUBLIC_READS": "4000000000",
    "BACKEND_LIMIT_CALLERS": "4000000000",
    "BACKEND_APIKEY_CALLS_PER_DAY": "1000000000000",
    "BACKEND_URL": "http://localhost:3000",
}
START_LIMIT_S = 60


def require(tool, package):
    """Makes sure of a tool, from the package that has it."""
    if shutil.which(tool):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"{tool} is missing: install it first (Debian and Ubuntu: apt-get install {package})")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", package], check=True)


def free_port():
    """A port that nobody uses: the settings fix the URL, so the server cannot say which it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`bespoke serve` on a data directory; `prefix` stands before the command, `more` are settings beside the shared ones."""

    def __init__(self, binary, data, prefix=(), more=None, port=None):
        port = port or free_port()
        self.process = subprocess.Popen(
            [*prefix, binary, "serve", "--data", data, "--port", str(port)],
            env=os.environ | SETTINGS | (more or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://127.0.0.1:{port}"
        said = queue.Queue()
        threading.Thread(target=self.read, args=(said,), daemon=True).start()
        try:
            started = said.get(timeout=START_LIMIT_S)
        except queue.Empty:
            started = False
        if not started:
            self.stop()
            sys.exit("the server did not say where it is")

    def read(self, said):
        """Reads to the end, or a full pipe would stop the server."""
        for line in self.process.stdout:
            if "http://localhost" in line:
                said.put(True)
        said.put(False)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
