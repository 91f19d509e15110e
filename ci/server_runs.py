"""Starts the container image, Caddy in front of it, and the service of systemd, each as restricted as its file says, and calls them.

For root in namespaces of its own for mounts, processes and the network, so that fixed ports and paths are free: ci/servers makes them.
The commands of docs/deploy.md are run unchanged, with stand-ins for those that need a running systemd or Docker. systemd itself is
not started: also in namespaces, as their first process, it changes kernel settings and control groups of the machine.
"""

import argparse
import gzip
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import threading

import server_files
from documented import PATH, Recorder
from sandbox import LIMIT_S, MS_BIND, Running, Sandbox, SystemCalls, bring_up_loopback, mount, overlay

ROOT = server_files.ROOT
# A folder that every system has and that this test does not use otherwise. It contains the files of the test, in memory.
SCRATCH = "/mnt"
STARTED = "Bespoke serves "
# One of the users that systemd gives to services (DynamicUser).
DYNAMIC_USER = 61234
# Requests of a client before the first one of another client, which must not be charged for them.
REQUESTS = 20


def call(connection, method, path, body=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, path, body if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response, text


def expect(condition, message, process=None):
    if not condition:
        raise SystemExit(f"{message}\n{process.output if process else ''}")


def unpack(archive, folder):
    """Unpacks the image into the folder. Returns its configuration. Checks that each blob matches the digest in its name."""
    with tarfile.open(archive) as tar:
        files = {entry.name: tar.extractfile(entry).read() for entry in tar.getmembers() if entry.isfile()}

    def blob(descriptor):
        content = files["blobs/" + descriptor["digest"].replace(":", "/")]
        expect(f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"], f"{descriptor} is damaged")
        return content

    index = json.loads(files["index.json"])
    manifest = json.loads(blob(index["manifests"][0]))
    layers = [blob(layer) for layer in manifest["layers"]]
    docker = json.loads(files["manifest.json"])[0]
    expect([files[path] for path in docker["Layers"]] == layers, "the two formats of the image have different layers")
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            tar.extractall(folder, numeric_owner=True, filter="fully_trusted")
    config = json.loads(blob(manifest["config"]))
    unpacked = [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}" for layer in layers]
    expect(config["rootfs"]["diff_ids"] == unpacked, "the configuration names other layers")
    return config["config"]


class Container:
    """The service `bespoke` of compose.yaml, in the image, with the settings of example.env."""

    def __init__(self, image, folder):
        variables = server_files.example() | {"BACKEND_URL": "https://localhost"}
        self.compose = server_files.compose(variables)
        service = self.compose["services"]["bespoke"]
        root, volume = folder / "root", folder / "volume"
        self.image = unpack(image, root)
        # Mounted over, the volume has the owner and the mode of the folder in the image.
        shutil.copytree(root / "data", volume)
        owner = (root / "data").stat()
        os.chown(volume, owner.st_uid, owner.st_gid)
        self.volume, self.user = volume, int(self.image["User"].split(":")[0])
        self.sandbox = Sandbox(
            user=self.user,
            root=str(root),
            writable={target: str(volume) for target in self.image["Volumes"]},
            private=service["tmpfs"],
            open_files=service["ulimits"]["nofile"],
        )
        self.environment = server_files.assignments(self.image["Env"]) | variables | service["environment"]

    def start(self):
        command = self.image["Entrypoint"] + self.image["Cmd"]
        return Running(command, self.environment, STARTED, self.sandbox)

    def health(self):
        return self.sandbox.run(self.image["Healthcheck"]["Test"][1:], self.environment)


def check_container(options, folder):
    container = Container(options.image, folder)
    documented = Recorder(folder / "documented")
    documented.prepare(options.binary)
    documented.run("### In containers")
    loaded = documented.calls("docker load -i ")[0][0]
    expect(ROOT / loaded == server_files.image_output(), f"docs/deploy.md loads {loaded}")
    for words in documented.calls("docker compose -f "):
        expect((ROOT / words[0]).exists(), f"docs/deploy.md: no file {words[0]}")
    code, output = container.health()
    expect(code == 1, f"without a server, the health check ends with {code}: {output}")
    with container.start() as server:
        code, output = container.health()
        expect(code == 0, f"the health check ends with {code}: {output}", server)
        expect_restricted(server, container.user)
        for command in documented.calls("docker compose -f deploy/compose.yaml exec bespoke "):
            code, output = container.sandbox.run(command, container.environment)
            expect(code == 0, f"{command}: {output}", server)
        if options.caddy:
            check_proxy(container, options.caddy, folder, server)
        expect(server.stop() == 0, "the container does not stop", server)
    for path in documented.calls("docker compose -f deploy/compose.yaml cp bespoke:/data/"):
        expect((container.volume / path[0]).exists(), f"docs/deploy.md copies {path[0]}, which does not exist")
    owners = {path.stat().st_uid for path in container.volume.rglob("*")}
    expect(owners == {container.user}, f"the volume belongs to {owners}")
    print(f"image: starts as user {container.user} on a read-only root, is healthy, and stops")


def expect_restricted(server, user, filtered=False):
    """Expects that the process really has the restrictions that this test gave to it."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    found = dict(re.findall(r"^(\w+):\s*(.*)$", status, re.MULTILINE))
    capabilities = {found[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    expect(capabilities == {""}, f"the process has capabilities: {status}")
    expect(found["NoNewPrivs"] == "1", f"the process may get privileges: {status}")
    expect(set(found["Uid"].split()) == {str(user)}, f"the process is of another user: {status}")
    expect(not filtered or found["Seccomp"] == "2", f"system calls are not filtered: {status}")


def check_proxy(container, caddy, folder, server):
    """Caddy serves HTTPS, and the server behind it distinguishes its clients."""
    proxy = container.compose["services"]["proxy"]["environment"]
    environment = proxy | {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "caddy"), "PATH": PATH}
    file = server_files.DEPLOY / "Caddyfile"
    adapted = subprocess.run(
        [caddy, "adapt", "--adapter", "caddyfile", "--config", file],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    config = json.loads(adapted.stdout)
    # `localhost` gets a certificate from an authority of Caddy's own, which this machine must not begin to trust.
    config["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    (folder / "caddy.json").write_text(json.dumps(config))
    command = [caddy, "run", "--config", folder / "caddy.json"]
    with Running(command, environment, "serving initial configuration") as running:
        authority = folder / "caddy/caddy/pki/authorities/local/root.crt"
        tls = ssl.create_default_context(cafile=authority)

        def send(source, method="GET", path="/healthz", body=None):
            connection = http.client.HTTPSConnection("localhost", context=tls, source_address=(source, 0), timeout=LIMIT_S)
            return call(connection, method, path, body)

        response, _ = send("127.0.0.1")
        expect(response.status == 200, f"the proxy responds with {response.status}", running)
        expect("max-age" in response.headers["Strict-Transport-Security"], "no Strict-Transport-Security", running)
        response, _ = send("127.0.0.1", path="/metrics")
        expect(response.status == 404, f"the proxy forwards /metrics: {response.status}", running)

        def remaining(source):
            """The remaining requests of an address, after one that counts."""
            return int(re.search(r"r=(\d+)", send(source, "POST", "/signin", {})[0].headers["RateLimit"])[1])

        left = [remaining("127.0.0.2") for _ in range(REQUESTS)][-1]
        other = remaining("127.0.0.3")
        expect(left < other, f"a client has {left} requests left, and another has {other} at its first", server)
        redirected, _ = call(http.client.HTTPConnection("localhost", 80, timeout=LIMIT_S), "GET", "/healthz")
        expect(redirected.status == 308, f"HTTP is answered {redirected.status}", running)
        running.stop()
    print("proxy: Caddy serves HTTPS, and bespoke counts the clients behind it one by one")


def system_calls(service):
    """The filter of a unit, which lists system calls, and sets of them by `@name`; those of lines that begin with `~` are refused."""
    allowed = set()
    for line in service["SystemCallFilter"]:
        names = set()
        for name in line.lstrip("~").split():
            names |= members(name) if name.startswith("@") else {name}
        allowed = allowed - names if line.startswith("~") else allowed | names
    # Let through by systemd in every list.
    allowed |= members("@default")
    filter = SystemCalls(sorted(allowed), service["RestrictAddressFamilies"].split())
    expect(filter.known > 200, f"only {filter.known} system calls are known")
    return filter


def members(name):
    """The system calls in a set of systemd."""
    command = ["systemd-analyze", "syscall-filter", name]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env={"PATH": PATH, "LC_ALL": "C"})
    found = set()
    for word in (line.strip() for line in result.stdout.splitlines()[1:]):
        if word.startswith("@"):
            found |= members(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def folders_of(service, folder):
    """Creates the folders of the service. Returns them by path."""
    found = {}
    for kind, parent in (("State", "/var/lib"), ("Cache", "/var/cache")):
        path, source, mode = pathlib.Path(parent, service[f"{kind}Directory"]), folder / kind, service[f"{kind}DirectoryMode"]
        for made in (path, source):
            made.mkdir(mode=int(mode, 8))
        os.chown(source, DYNAMIC_USER, DYNAMIC_USER)
        found[str(path)] = str(source)
    return found


def check_service(options, folder):
    for path in ("/etc", "/usr", "/var"):
        overlay(path, folder)
    documented = Recorder(folder / "documented")
    documented.prepare(options.binary)
    pathlib.Path("/etc/caddy").mkdir(exist_ok=True)
    documented.run("### With systemd")
    documented.calls("systemctl enable --now bespoke")
    expect("\nhttps://api.example.com {" in pathlib.Path("/etc/caddy/Caddyfile").read_text(), "Caddyfile has no host")
    service = server_files.unit(pathlib.Path("/etc/systemd/system/bespoke.service"))
    settings = pathlib.Path(service["EnvironmentFile"][0])
    expect(settings.stat().st_mode & 0o77 == 0, "other users can read the settings")
    sandbox = Sandbox(
        user=DYNAMIC_USER,
        writable=folders_of(service, folder),
        private=["/tmp", "/var/tmp"],
        hidden=["/home", "/root", "/run/user"],
        open_files=int(service["LimitNOFILE"]),
        umask=int(service["UMask"], 8),
        system_calls=system_calls(service),
        refuses_new_code=service["MemoryDenyWriteExecute"] == "yes",
    )
    environment = server_files.assignments(" ".join(service["Environment"]).split()) | server_files.example(settings)
    mails = MailServer()
    environment["BACKEND_SMTP_URL"] = f"smtp://localhost:{mails.port}"
    with Running(service["ExecStart"].split(), environment, STARTED, sandbox) as server:
        expect_restricted(server, DYNAMIC_USER, filtered=True)

        def send(method, path, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", 3000, timeout=LIMIT_S)
            return call(connection, method, path, body)

        response, _ = send("GET", "/readyz")
        expect(response.status == 200, f"/readyz: {response.status}", server)
        response, text = send("POST", "/signup", {"email": "jane@example.com", "language": "en"})
        expect(response.status == 201, f"/signup: {response.status} {text}", server)
        expect(mails.received.wait(LIMIT_S), "the service sends no mail", server)
        for words in documented.calls("systemd-run "):
            command = words[words.index("/usr/local/bin/bespoke") :]
            code, output = sandbox.run(command, environment)
            expect(code == 0, f"{command}: {output}", server)
        expect(server.stop() == 0, "the service does not stop", server)
    complaints = [line for line in server.lines if '"ERROR"' in line or '"WARN"' in line]
    expect(not complaints, "the service complains", server)
    print("service: starts as the documentation installs it and the unit restricts it, writes, sends mail, and stops")


class MailServer:
    """Accepts mails on a free port of loopback, and discards them."""

    def __init__(self):
        self.received = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                self.converse(stream)

    def converse(self, stream):
        def say(text):
            stream.write(text + b"\r\n")
            stream.flush()

        say(b"220 localhost")
        is_text = False
        for line in stream:
            word = line.strip().upper()
            if is_text:
                if word == b".":
                    is_text = False
                    self.received.set()
                    say(b"250 ok")
            elif word == b"DATA":
                is_text = True
                say(b"354 go on")
            else:
                say(b"221 bye" if word == b"QUIT" else b"250 ok")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--caddy", type=pathlib.Path)
    options = parser.parse_args()
    subnet = server_files.compose({})["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    # Caddy and bespoke talk to each other from this address.
    inside = subnet.rpartition(".")[0] + ".2"
    bring_up_loopback([inside])
    # Container engines and systemd create folders with mode 755, independent of the umask of the shell.
    os.umask(0o022)
    mount("tmpfs", SCRATCH, "tmpfs")
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{inside} bespoke\n")
        mount(hosts, "/etc/hosts", flags=MS_BIND)
        for check in (check_container, check_service):
            part = folder / check.__name__
            part.mkdir()
            check(options, part)


if __name__ == "__main__":
    main()
