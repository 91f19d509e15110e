"""Shared parts of the scripts: the binary and its settings, the load generators from Debian, and a server to be measured."""

import datetime
import os
import pathlib
import platform
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = TARGET / "release/bespoke"
# Limits are counted as usual, but never reached. Tokens are bound to the URL.
SETTINGS = {
    "BACKEND_LIMIT_PUBLIC_READS": "4000000000",
    "BACKEND_LIMIT_PUBLIC_WRITES": "4000000000",
    "BACKEND_LIMIT_CALLERS": "4000000000",
    "BACKEND_APIKEY_CALLS_PER_DAY": "1000000000000",
    "BACKEND_ACCOUNT_WRITES_MIB_PER_DAY": "4000000000",
    "BACKEND_URL": "http://localhost:3000",
}
START_LIMIT_S = 60


def require(tool, package):
    """Ensures that a tool is installed. As root, installs its Debian package."""
    if shutil.which(tool):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"{tool} is missing: install it first (Debian and Ubuntu: apt-get install {package})")
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-qq", package], check=True)


def commit():
    """The version of the project that was measured."""
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return git.stdout.strip() or "unknown"


def file_system(directory):
    """The file system of the data, and whether it has a journal if it is ext4."""
    found = subprocess.run(["findmnt", "--noheadings", "--output", "SOURCE,FSTYPE", "--target", directory],
                           capture_output=True, text=True, check=True)
    # If several file systems are mounted at one place, the last one counts.
    device, kind = found.stdout.splitlines()[-1].split()
    journal = pathlib.Path("/proc/fs/jbd2").glob(f"{pathlib.Path(device).name}-*")
    return kind if kind != "ext4" else f"ext4 {'with' if any(journal) else 'without'} a journal"


def machine(cpu):
    """The machine of the measurements."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    shared = siblings.exists() and siblings.read_text().strip() != str(cpu)
    return ", ".join([
        model.group(1) if model else platform.machine(),
        f"{os.cpu_count()} CPUs" + (" (pairs share a core)" if shared else ""),
        f"Linux {platform.release()}",
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        f"commit {commit()}",
    ])


def write_between(page, name, text):
    """Replaces the text between the markers of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = page.read_text().split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


class Server:
    """A server to be measured. It prints its address."""

    # The log file of the servers. By default, they log to the output of the script.
    log = None

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        said = queue.Queue()
        threading.Thread(target=self.read, args=(said,), daemon=True).start()
        try:
            port = said.get(timeout=START_LIMIT_S)
        except queue.Empty:
            port = None
        if not port:
            self.stop()
            sys.exit("the server did not say where it is")
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    def bespoke(cls, binary, data, prefix=(), more=None, port=0):
        """`bespoke serve` on a data directory; `prefix` precedes the command, `more` contains additional settings."""
        return cls([*prefix, binary, "serve", "--data", data, "--port", str(port)], os.environ | SETTINGS | (more or {}))

    def memory_mib(self, name):
        """Memory in MiB: `VmRSS` is the current value, `VmHWM` the peak."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status).group(1)) / 1024

    def read(self, said):
        """Reads to the end, because a full pipe would block the server."""
        for line in self.process.stdout:
            listens = re.search(r"listens +\S*:(\d+)$", line.strip())
            if listens:
                said.put(listens.group(1))
        said.put(None)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
