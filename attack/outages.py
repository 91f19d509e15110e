"""Faults of the process, its disk, its bucket and its clock during writes."""

import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import time

import proxy
from stage import ROOT, SETTINGS, Server, call, make_key, require, sign_up
from writers import Writers

# How long the server may take to write again after a fault is over.
RECOVERY_LIMIT_S = 30
FAULT_S = 5
TMPFS_BYTES = 24_000_000


def settled(options, data, server, writers, settings=SETTINGS):
    """Ends the load and restarts the server. Returns the problems of the stored data."""
    writers.stop()
    server.stop()
    server = Server.bespoke(options.binary, data, more=settings)
    lost, twice = writers.missing(server.url)
    server.stop()
    print(f"{len(writers.acknowledged):,} writes acknowledged, {dict(writers.refused)} refused and sent again, "
          f"longest time without one {writers.longest_gap_s:.1f} s")
    problems = [f"{len(lost)} acknowledged writes are lost"] if lost else []
    problems += [f"{len(twice)} writes are stored twice"] if twice else []
    verify = subprocess.run([options.binary, "verify", "--data", data], env=os.environ | settings, capture_output=True, text=True)
    return problems + ([f"verify: {verify.stdout}{verify.stderr}"] if verify.returncode else [])


def writes_again(writers):
    """Returns no problem if a write is acknowledged soon."""
    before, began = len(writers.acknowledged), time.monotonic()
    while time.monotonic() - began < RECOVERY_LIMIT_S:
        if len(writers.acknowledged) > before:
            print(f"  writes again after {time.monotonic() - began:.1f} s")
            return []
        time.sleep(0.1)
    return [f"no write for {RECOVERY_LIMIT_S} s after the fault was over"]


def kills(options, folder):
    """SIGKILL every second."""
    server = Server.bespoke(options.binary, folder, more=SETTINGS)
    port = int(server.url.rsplit(":", 1)[1])
    writers = Writers(server.url, sign_up(server, "jane"))
    ends, count = time.monotonic() + options.kill_seconds, 0
    while time.monotonic() < ends:
        time.sleep(1)
        server.stop(signal.SIGKILL)
        count += 1
        server = Server.bespoke(options.binary, folder, more=SETTINGS, port=port)
    print(f"killed {count} times")
    return settled(options, folder, server, writers)


def disk(options, folder):
    """The disk of the bucket and of the local copy fills, and then space is freed again."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode:
        print("skipped, because no file system can be mounted here; the test full_disk_is_reported_and_loses_nothing does not need one")
        return []
    try:
        data, ballast = folder / "data", folder / "ballast"
        ballast.write_bytes(bytes(TMPFS_BYTES // 4))
        server = Server.bespoke(options.binary, data, more=SETTINGS)
        writers = Writers(server.url, sign_up(server, "jane"))
        began = time.monotonic()
        while not writers.refused[503] and time.monotonic() - began < 300:
            time.sleep(0.1)
        print(f"  full after {len(writers.acknowledged):,} writes")
        time.sleep(FAULT_S)
        stands, _ = call(server, "GET", "/healthz")
        ballast.unlink()
        problems = writes_again(writers) + ([] if stands == 200 else [f"/healthz answered {stands}"])
        # A starting process needs free space.
        return problems + settled(options, data, server, writers)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def bucket(options, folder):
    """The bucket refuses requests, is slow, and closes connections, in turn."""
    script = ROOT / "shared/storage/tests/support/s3_server.py"
    with subprocess.Popen([ROOT / ".venv/bin/python", script, "bespoke"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as s3:
        try:
            between = proxy.Proxy(s3.stdout.readline().strip())
            settings = SETTINGS | {
                "BACKEND_STORE": "s3://bespoke/attack",
                "AWS_ENDPOINT_URL": between.url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
            }
            server = Server.bespoke(options.binary, folder, more=settings)
            writers = Writers(server.url, sign_up(server, "jane"))
            problems = []
            for fault in proxy.FAULTS * 2:
                print(f"  {fault} for {FAULT_S} s", flush=True)
                between.fault = fault
                time.sleep(FAULT_S)
                between.fault = None
                problems += writes_again(writers)
            return problems + settled(options, folder, server, writers, settings)
        finally:
            s3.kill()


def clock(options, folder):
    """The clock of the process jumps by hours and years, forward and back."""
    require("faketime", "faketime")
    library = next(itertools.chain(*(pathlib.Path(lib).rglob("libfaketime.so.1") for lib in ("/usr/lib", "/usr/local/lib"))))
    time_file = folder / "time"
    time_file.write_text("+0")
    fake = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(time_file), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    data = folder / "data"
    server = Server.bespoke(options.binary, data, more=SETTINGS | fake)
    key = make_key(server, sign_up(server, "jane"), 4)
    writers = Writers(server.url, key, method="key")
    problems = []
    for jump in ("+3h", "-2h", "+20h", "-300d", "+0"):
        # Replaced atomically, because the library reads it at every call.
        (folder / "next").write_text(jump)
        shutil.move(folder / "next", time_file)
        time.sleep(FAULT_S)
        print(f"  the clock at {jump}", flush=True)
        problems += writes_again(writers)
    return problems + settled(options, data, server, writers)
