"""Compares the files for running Bespoke on a server with each other and with the code. Starts no process."""

import json
import pathlib
import re
import runpy
import tomllib

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
# Time for the end of the process after both periods of grace, in seconds.
END_S = 10
SETTING = re.compile(r"`((?:BACKEND|IMPORT)_[A-Z_]+)`")
# A variable of Compose with its default or its message, or of Caddy.
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}|\{\$(\w+)(:[^}]*)?\}")
# Directives of a unit whose values add up over several lines. In the others the last line wins.
LISTS = {"Environment", "EnvironmentFile", "SystemCallFilter"}
SECOND_NS = 1_000_000_000


def unit(path=DEPLOY / "bespoke.service"):
    """The directives of the unit's section Service. Those of LISTS have lists of values."""
    service, section = {}, ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "Service" and "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            if name in LISTS:
                service.setdefault(name, []).append(value)
            else:
                service[name] = value
    return service


def assignments(words):
    return dict(word.split("=", 1) for word in words)


def example(path=DEPLOY / "example.env", with_comments=False):
    """The settings of a file like deploy/example.env, also those in comments if wanted."""
    pattern = r"^#?([A-Z_]+)=(.*)$" if with_comments else r"^([A-Z_]+)=(.*)$"
    lines = re.findall(pattern, path.read_text(), re.MULTILINE)
    return {name: value.strip("'") for name, value in lines}


def interpolate(text, variables):
    """The text as Compose or Caddy would read it with these variables."""

    def value(match):
        name, kind, default, caddy, caddy_default = match.groups()
        if caddy:
            return variables.get(caddy) or (caddy_default or ":")[1:]
        return variables.get(name) or (default if kind == "-" else "")

    return VARIABLE.sub(value, text)


def compose(variables):
    return yaml.safe_load(interpolate((DEPLOY / "compose.yaml").read_text(), variables))


def image_settings():
    """The settings that ci/image gives to the image, and its name."""
    script = runpy.run_path(str(ROOT / "ci/image"))
    return script["SETTINGS"], script["NAME"]


def image_output():
    """The archive that ci/image writes by default."""
    return runpy.run_path(str(ROOT / "ci/image"))["OUTPUT"]


def seconds(text):
    return int(text.removesuffix("s"))


def dockerfile():
    """The last stage of the Dockerfile as settings of an image, and the base image of the first."""
    text = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    lines = [line.split(" ", 1) for line in text[text.rindex("\nFROM ") :].splitlines() if line and line[0] != "#"]
    found = {name: value for name, value in lines if name not in {"FROM", "COPY"}}
    health, command = found.pop("HEALTHCHECK").split(" CMD ")
    options = dict(option.removeprefix("--").split("=") for option in health.split())
    settings = {
        "User": found.pop("USER"),
        "ExposedPorts": {f"{found.pop('EXPOSE')}/tcp": {}},
        "Env": found.pop("ENV").split(),
        "Entrypoint": json.loads(found.pop("ENTRYPOINT")),
        "Cmd": json.loads(found.pop("CMD")),
        "Volumes": {found.pop("VOLUME"): {}},
        "WorkingDir": found.pop("WORKDIR"),
        "StopSignal": found.pop("STOPSIGNAL"),
        "Healthcheck": {
            "Test": ["CMD", *json.loads(command)],
            "Interval": seconds(options["interval"]) * SECOND_NS,
            "Timeout": seconds(options["timeout"]) * SECOND_NS,
            "StartPeriod": seconds(options["start-period"]) * SECOND_NS,
            "Retries": int(options["retries"]),
        },
    }
    return settings | found, bases


def unknown_settings():
    known = set(SETTING.findall((ROOT / "docs/configuration.md").read_text()))
    service, settings = unit(), image_settings()[0]
    used = {
        "bespoke.service": assignments(" ".join(service["Environment"]).split()),
        "example.env": example(with_comments=True),
        "compose.yaml": compose({})["services"]["bespoke"]["environment"],
        "the image": assignments(settings["Env"]),
    }
    for place, names in used.items():
        yield from (f"{place}: {name} is not a setting" for name in sorted(names.keys() - known))


def grace_problems():
    """The time that a server needs to stop: for requests, then for mails, then to close the database."""
    grace = int(re.search(r"const GRACE_S: u64 = (\d+);", (ROOT / "cli/src/serve/connections.rs").read_text())[1])
    needed = 2 * grace + END_S
    given = {
        "TimeoutStopSec in bespoke.service": unit()["TimeoutStopSec"],
        "stop_grace_period in compose.yaml": compose({})["services"]["bespoke"]["stop_grace_period"],
    }
    yield from (f"{place}: {text} is less than {needed} s" for place, text in given.items() if seconds(text) < needed)


def dockerfile_problems():
    settings, bases = dockerfile()
    expected = image_settings()[0]
    for name in sorted(settings.keys() | expected.keys()):
        if settings.get(name) != expected.get(name):
            yield f"Dockerfile: {name} is {settings.get(name)}, and {expected.get(name)} in ci/image"
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    if bases[0] != f"rust:{toolchain}-bookworm":
        yield f"Dockerfile: {bases[0]} is not the compiler of rust-toolchain.toml, {toolchain}"
    ignored = (ROOT / ".dockerignore").read_text().split()
    missing = {".git", "data", "target", "**/.env"} - set(ignored)
    yield from (f".dockerignore: {path} would be sent to the builder" for path in sorted(missing))


def compose_problems():
    variables = example()
    file = compose(variables)
    services, settings, name = file["services"], *image_settings()
    bespoke, proxy = services["bespoke"], services["proxy"]
    for title, service in services.items():
        restrictions = (service.get("read_only"), service.get("cap_drop"), service.get("security_opt"), service.get("restart"))
        if restrictions != (True, ["ALL"], ["no-new-privileges:true"], "unless-stopped"):
            yield f"compose.yaml: {title} is not restricted: {restrictions}"
    if bespoke["image"] != name:
        yield f"compose.yaml: starts {bespoke['image']}, and ci/image makes {name}"
    check, expected = bespoke["healthcheck"], settings["Healthcheck"]
    times = [seconds(check[name]) * SECOND_NS for name in ("interval", "timeout", "start_period")]
    if [check["test"], *times, check["retries"]] != list(expected.values()):
        yield f"compose.yaml: the health check is {check}, and {expected} in ci/image"
    if "ports" in bespoke:
        yield "compose.yaml: bespoke can be reached without the proxy"
    subnet = file["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    if bespoke["environment"]["BACKEND_TRUSTED_PROXIES"] != subnet:
        yield f"compose.yaml: the trusted proxies are not the network {subnet}"
    volumes = {volume.split(":")[1] for volume in bespoke["volumes"]}
    if volumes != set(settings["Volumes"]):
        yield f"compose.yaml: volumes {volumes}, and {set(settings['Volumes'])} in ci/image"
    needed = {match[4] for match in VARIABLE.finditer((DEPLOY / "Caddyfile").read_text())}
    if needed != proxy["environment"].keys():
        yield f"compose.yaml: Caddyfile needs {needed}, and gets {set(proxy['environment'])}"
    for match in VARIABLE.finditer((DEPLOY / "compose.yaml").read_text()):
        if match[2] != "-" and match[1] not in variables:
            yield f"compose.yaml: example.env has no {match[1]}"


def admin_problems():
    """bespoke-admin must have the environment and the user of the service."""
    service = unit()
    given = re.findall(r'-p (?:"([^"]+)"|(\S+))', (DEPLOY / "bespoke-admin").read_text())
    for name, value in (pair.split("=", 1) for pair in (quoted or plain for quoted, plain in given)):
        expected = " ".join(service[name]) if name in LISTS else service[name]
        if value != expected:
            yield f"bespoke-admin: {name}={value}, and {expected} in bespoke.service"


def main():
    checks = [unknown_settings, grace_problems, dockerfile_problems, compose_problems, admin_problems]
    problems = [problem for check in checks for problem in check()]
    for problem in problems:
        print(problem)
    if not problems:
        print("the unit, the image, Dockerfile and compose.yaml agree")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
