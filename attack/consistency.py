"""Checks from outside that processes on a shared bucket behave like one process, while they are killed, stopped and paused.

- Registers: a read that begins after a write was acknowledged, or after another read ended, never shows an older value, at any
  process.
- Races: of all concurrent changes of a record with one `If-Match`, exactly one succeeds.
- Revocations: a key that was revoked, and a token of a blocked account, are refused by every process from the acknowledgement on.
- Restores: an acknowledged state is restored byte for byte.
"""

import json
import random
import secrets
import threading
import time

from cluster import NO_ANSWER, Bucket, Cluster, until
from stage import TEST_DOMAIN

REGISTERS = 3
# How long a request is repeated if its process is down.
PATIENCE_S = 60
RESTORES = 10
SHORT_RESTORES = 5
SHORT_S = 120


class Run:
    """The state that the checks share: the processes, the end, problems, and the number of checks of each kind."""

    def __init__(self, cluster, dice):
        self.cluster, self.dice = cluster, dice
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.problems, self.counts = [], {}

    def count(self, check):
        with self.lock:
            self.counts[check] = self.counts.get(check, 0) + 1

    def complain(self, problem):
        with self.lock:
            self.problems.append(problem)
        self.stopped.set()

    def anywhere(self, dice, method, path, wanted, body=None, authorization=None):
        """Calls one process after the other until a response is as expected."""
        def attempt():
            process = dice.randrange(len(self.cluster.urls))
            status, answer, headers = self.cluster.call(process, method, path, body, authorization)
            if status == wanted:
                return answer or {}, headers
            if status not in (NO_ANSWER, 503):
                raise AssertionError(f"{method} {path} was answered {status} {answer}")
            return None

        answer = until(time.monotonic() + PATIENCE_S, attempt)
        if answer is None:
            raise AssertionError(f"{method} {path} was not answered for {PATIENCE_S} s")
        return answer

    def sign_up(self, dice, role="user"):
        """Creates an account. Returns its id and the value of Authorization."""
        body = {"language": "en", "test": True, "role": role}

        def attempt():
            # If the response to a confirmation is lost, its link is used up, so each attempt has another address.
            process = dice.randrange(len(self.cluster.urls))
            body["email"] = f"{secrets.token_hex(8)}@{TEST_DOMAIN}"
            status, answer, _ = self.cluster.call(process, "POST", "/signup", body)
            if status != 201:
                return None
            path = f"/confirm/signup/{answer['confirmation']}"
            status, answer, _ = self.cluster.call(process, "POST", path, {"consent": 2})
            return (answer["account"]["id"], f"Bearer {answer['token']}") if status == 200 else None

        found = until(time.monotonic() + PATIENCE_S, attempt)
        if found is None:
            raise AssertionError(f"no sign-up succeeded for {PATIENCE_S} s")
        return found


class Register:
    """One set, whose name is a number that only grows."""

    def __init__(self, run, dice, authorization):
        self.run, self.authorization = run, authorization
        made, _ = run.anywhere(dice, "POST", "/sets/jwt", 201, {"name": "0-0"}, authorization)
        self.path = f"/sets/{made['set']['id']}/jwt"
        self.lock = threading.Lock()
        # No read that begins now shows less than the first, none has shown more than the second.
        self.floor, self.begun = 0, 0
        # The cause of the last rise of the floor, for complaints.
        self.raised_by = "its creation"

    def raise_floor(self, turn, cause):
        """Raises the floor: from now on, no read may return less. Called under the lock."""
        if turn > self.floor:
            self.floor, self.raised_by = turn, cause

    def shows(self, answer, headers, floor, where):
        """Checks the response to a read that began when the floor was `floor`. Returns the name."""
        name = answer["set"]["name"]
        turn = int(name.split("-")[0])
        shown = f"{name} at process {where} in {headers.get('DB-Seq')}"
        with self.lock:
            if not floor <= turn <= self.begun:
                self.run.complain(f"{self.path}: {shown}, after {floor} ({self.raised_by}) and before {self.begun}")
            self.raise_floor(turn, shown)
        self.run.count("reads")
        return name

    def read(self, process):
        """Returns the name and the ETag; None without a response."""
        floor = self.floor
        status, answer, headers = self.run.cluster.call(process, "GET", self.path, authorization=self.authorization)
        if status == 200:
            return self.shows(answer, headers, floor, process), headers["ETag"]
        if status not in (NO_ANSWER, 503):
            self.run.complain(f"{self.path} at process {process} was answered {status}")
        if status == 503 and headers.get("DB-Seq"):
            self.run.complain(f"process {process} names {headers['DB-Seq']} in a 503")
        return None

    def race(self, dice):
        """All processes change the set with the same ETag; then all of them are read."""
        processes = range(len(self.run.cluster.urls))
        deadline = time.monotonic() + PATIENCE_S
        known = until(deadline, lambda: self.read(dice.choice(processes)))
        if known is None:
            return self.run.complain(f"{self.path} could not be read for {PATIENCE_S} s")
        with self.lock:
            self.begun += 1
            turn = self.begun

        def write(process):
            body, headers = {"name": f"{turn}-{process}"}, {"If-Match": known[1]}
            status, *_ = self.run.cluster.call(process, "PATCH", self.path, body, self.authorization, headers)
            return status

        answers = self.run.cluster.everywhere(write)
        won = [process for process in processes if answers[process] == 200]
        refused = answers.count(412)
        if len(won) > 1:
            return self.run.complain(f"{self.path}: processes {won} all won turn {turn}")
        if not won and refused == len(answers):
            return self.run.complain(f"{self.path}: no process won turn {turn}")
        if won:
            self.run.count("races")
        return self.settle(turn, won, known[1], deadline)

    def settle(self, turn, won, tag, deadline):
        """Checks that the turn is over, and that every process knows its winner."""
        def attempt():
            # A write without a response may still win, unless another one has won.
            status, *_ = self.run.cluster.call(0, "PATCH", self.path, {"name": f"{turn}-0"}, self.authorization, {"If-Match": tag})
            return status if status in (200, 412) else None

        settled = f"{won} won" if won else until(deadline, attempt)
        if settled is None:
            return self.run.complain(f"{self.path}: turn {turn} was not settled for {PATIENCE_S} s")
        with self.lock:
            self.raise_floor(turn, f"turn {turn} was settled: {settled}")
        for process in range(len(self.run.cluster.urls)):
            shown = self.read(process)
            if shown and won and shown[0] != f"{turn}-{won[0]}":
                self.run.complain(f"{self.path} at process {process} shows {shown[0]}, though {won[0]} won turn {turn}")
        return None


def race_for_ever(run, register, seed):
    dice = random.Random(seed)
    while not run.stopped.is_set():
        register.race(dice)


def read_for_ever(run, registers, seed):
    dice = random.Random(seed)
    while not run.stopped.is_set():
        dice.choice(registers).read(dice.randrange(len(run.cluster.urls)))


def refused_everywhere(run, path, authorization, reason):
    """From an acknowledgement on, no process may serve it."""
    answers = run.cluster.everywhere(lambda process: run.cluster.call(process, "GET", path, authorization=authorization))
    for process, (status, answer, _) in enumerate(answers):
        if status == 401:
            run.count("refusals")
        elif status not in (NO_ANSWER, 503):
            run.complain(f"{reason}, and process {process} answers {status} {answer}")


def revoke_for_ever(run, administrator, seed):
    dice = random.Random(seed)
    while not run.stopped.is_set():
        account, authorization = run.sign_up(dice)
        body = {"name": "attack", "level": 4, "expiresIn": 86_400}
        made, _ = run.anywhere(dice, "POST", "/apikeys/jwt", 201, body, authorization)
        key = made["apikey"]["key"]
        bearer = f"Bearer {key}.{made['apikey']['secret']}"
        run.anywhere(dice, "GET", "/account/key", 200, authorization=bearer)
        # A repeated revocation finds nothing more to revoke.
        process = dice.randrange(len(run.cluster.urls))
        status, *_ = run.cluster.call(process, "DELETE", f"/apikeys/{key}/jwt", authorization=authorization)
        if status == 204:
            run.count("revocations")
            refused_everywhere(run, "/account/key", bearer, "the key was revoked")
        run.anywhere(dice, "PATCH", f"/admin/user/{account}/jwt", 200, {"status": -2}, administrator)
        run.count("blocks")
        refused_everywhere(run, "/account/jwt", authorization, "the account was blocked")


def copy_for_ever(run, folder, copies, pause_s):
    """Keeps copies of the database, each with its version."""
    while not run.stopped.wait(pause_s):
        target = folder / f"copy-{len(copies)}"
        code, out, log = run.cluster.command("backup", str(target), "--json")
        if code == 0:
            copies.append((json.loads(out)["state"], (target / "database.sqlite").read_bytes()))
        elif "unavailable" not in log and "did not answer" not in log:
            run.complain(f"backup: {log}")


def guarded(run, check, *arguments):
    try:
        check(run, *arguments)
    except Exception as error:  # noqa: BLE001
        run.complain(f"{check.__name__}: {error!r}")


def restored(run, folder, copies, count):
    """Restores some of the states, in any order, and compares them with the copies."""
    chosen = run.dice.sample(copies, min(count, len(copies)))
    for number, (state, wanted) in enumerate(chosen):
        code, out, log = run.cluster.command("restore", "--at", state, "--json")
        if code != 0 or json.loads(out)["from"] != state:
            run.complain(f"{state} is not restored: {out}{log}")
            continue
        target = folder / f"restored-{number}"
        code, _, log = run.cluster.command("backup", str(target), "--json")
        if code != 0:
            run.complain(f"backup of the restored state {state}: {log}")
        elif (target / "database.sqlite").read_bytes() != wanted:
            run.complain(f"{state} is restored as something else")
        else:
            run.count("restores")
    if len(chosen) < count:
        run.complain(f"only {len(chosen)} states were copied")


def begin(run, dice):
    """Creates the data of the checks. Returns the checks with their parameters."""
    _, owner = run.sign_up(dice)
    _, administrator = run.sign_up(dice, "admin")
    registers = [Register(run, dice, owner) for _ in range(REGISTERS)]
    checks = [(race_for_ever, register, dice.random()) for register in registers]
    checks += [(read_for_ever, registers, dice.random()) for _ in range(2)]
    return checks + [(revoke_for_ever, administrator, dice.random())]


def check(folder, cluster, seed, seconds):
    """Runs all checks at once for that many seconds. Returns the problems."""
    dice = random.Random(seed)
    run = Run(cluster, dice)
    copies, count = [], RESTORES if seconds > SHORT_S else SHORT_RESTORES
    try:
        checks = begin(run, dice) + [(copy_for_ever, folder, copies, seconds / (3 * count))]
        threads = [threading.Thread(target=guarded, args=(run, *check), daemon=True) for check in checks]
        threads.append(threading.Thread(target=cluster.disturb, args=(random.Random(dice.random()), run.stopped), daemon=True))
        for thread in threads:
            thread.start()
        run.stopped.wait(seconds)
        run.stopped.set()
        for thread in threads:
            thread.join(2 * PATIENCE_S)
        cluster.stop()
        if not run.problems:
            restored(run, folder, copies, count)
            code, out, log = cluster.command("verify")
            run.problems += [] if code == 0 else [f"verify: {out}{log}"]
    except AssertionError as error:
        run.complain(str(error))
    finally:
        cluster.stop()
    done = run.counts
    print(f"  {dict(cluster.faults)}, " + ", ".join(f"{done[name]:,} {name}" for name in sorted(done)), flush=True)
    unchecked = {"races", "reads", "refusals", "revocations", "blocks", "restores"} - done.keys()
    return run.problems + cluster.problems + [f"no {name} were checked" for name in sorted(unchecked)]


def processes(options, folder):
    """Four processes on a folder, then three on S3."""
    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
    print(f"  seed {seed}", flush=True)
    half_s = options.check_seconds / 2
    (folder / "files").mkdir()
    (folder / "s3").mkdir()
    data = folder / "files" / "data"
    key = {"BACKEND_ENC_KEY": "a passphrase of the attack, and of nothing else"}
    problems = check(folder / "files", Cluster(options.binary, [data] * 4, key), seed, half_s)
    bucket = Bucket()
    try:
        folders = [folder / "s3" / f"data-{process}" for process in range(3)]
        problems += check(folder / "s3", Cluster(options.binary, folders, key | bucket.settings), seed + 1, half_s)
    finally:
        bucket.stop()
    return problems
