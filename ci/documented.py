"""Runs the shell commands of a section of docs/deploy.md unchanged, with stand-ins for those that need more than this machine
has: a service manager, a container engine, an editor, or an hour."""

import dataclasses
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Stand-ins record their calls and succeed.
RECORDED = ("apt-get", "cargo", "docker", "make", "sudoedit", "systemctl", "systemd-run", "vi")


@dataclasses.dataclass
class Recorder:
    """A folder with the files that the commands need, and the calls of stand-ins."""

    folder: pathlib.Path

    def prepare(self, binary):
        tools, source = self.folder / "tools", self.folder / "source"
        tools.mkdir(parents=True)
        for name in RECORDED:
            self.script(tools / name, f'echo "{name} $*" >>{self.folder}/calls')
        self.script(tools / "sudo", 'exec "$@"')
        shutil.copytree(ROOT / "deploy", source / "deploy")
        (source / "target/release").mkdir(parents=True)
        (source / "target/release/bespoke").symlink_to(binary)

    def script(self, path, text):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, heading):
        """Runs all commands below a heading, up to the next one."""
        text = (ROOT / "docs/deploy.md").read_text()
        section = re.split(r"^##", text.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
        commands = "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
        if not commands:
            raise SystemExit(f"docs/deploy.md: no commands below {heading}")
        environment = {"PATH": f"{self.folder}/tools:{PATH}"}
        script = ["sh", "-euc", commands]
        subprocess.run(script, cwd=self.folder / "source", env=environment, check=True, stdout=subprocess.DEVNULL)

    def calls(self, beginning):
        """The arguments of the calls that begin like this, without the beginning."""
        lines = (self.folder / "calls").read_text().splitlines()
        found = [line.removeprefix(beginning).split() for line in lines if line.startswith(beginning)]
        if not found:
            raise SystemExit(f"docs/deploy.md does not call {beginning}")
        return found
