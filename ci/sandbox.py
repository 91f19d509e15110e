"""Starts a process as systemd or a container engine would, as far as that works without either: root folder, mounts, user, limits,
and the filter of system calls. For callers that are root in namespaces of their own for mounts, processes and the network."""

import ctypes
import dataclasses
import errno
import fcntl
import os
import pathlib
import resource
import socket
import struct
import subprocess
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
# The output of this program, also in children whose output is captured.
STANDARD_ERROR = os.dup(2)
# How long a server may take to start, or to stop, in seconds. It is reached only if that fails.
LIMIT_S = 60

CLONE_NEWNS = 0x20000
MS_RDONLY, MS_REMOUNT, MS_BIND = 1, 32, 4096
# The number of the system call is the same on every architecture.
MOUNT_SETATTR, MOUNT_ATTR_RDONLY = 442, 1
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 24, 38, 65
PR_MDWE_REFUSE_EXEC_GAIN = 1
LAST_CAPABILITY = 63
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
IFF_UP = 1

SCMP_ACT_ALLOW, SCMP_ACT_ERRNO = 0x7FFF0000, 0x00050000
SCMP_CMP_EQ = 4


def checked(result, action):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")
    return result


def mount(source, target, kind=None, flags=0, options=None):
    texts = [str(text).encode() if text is not None else None for text in (source, target, kind, options)]
    checked(LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]), f"mount {target}")


def bind(source, target):
    """Shows a folder in a second place, where it can be changed."""
    mount(source, target, flags=MS_BIND)
    mount(None, target, flags=MS_BIND | MS_REMOUNT)


class MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "namespace")]


def make_read_only(folder):
    """Makes the folder, and everything that is mounted in it, read-only."""
    attributes = MountAttributes(MOUNT_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    result = LIBC.syscall(
        MOUNT_SETATTR, AT_FDCWD, str(folder).encode(), AT_RECURSIVE, ctypes.byref(attributes), size
    )
    checked(result, f"make {folder} read-only")


def overlay(folder, scratch):
    """Makes the folder writable; the changes are stored in `scratch` and are lost with the namespace."""
    upper, work = (pathlib.Path(scratch, name, str(folder).strip("/")) for name in ("upper", "work"))
    for path in (upper, work):
        path.mkdir(parents=True)
    mount("overlay", folder, "overlay", options=f"lowerdir={folder},upperdir={upper},workdir={work}")


def bring_up_loopback(addresses):
    """Gives the network namespace its loopback interface, with these IPv4 addresses besides its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for number, address in enumerate(["127.0.0.1", *addresses]):
            name = f"lo:{number}".encode() if number else b"lo"
            packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, SIOCSIFADDR, packed)
            flags = struct.unpack("16sH", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH22x", name, 0))[:18])[1]
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, flags | IFF_UP))


class SystemCalls:
    """A filter that lets through these system calls, of `socket` only for these families, and fails the others with EPERM."""

    class Comparison(ctypes.Structure):
        _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

    def __init__(self, allowed, families):
        self.library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(SCMP_ACT_ERRNO | errno.EPERM)))
        self.known = 0
        for name in allowed:
            number = self.library.seccomp_syscall_resolve_name(name.encode())
            # Negative: of another architecture, or newer than the library.
            if number < 0:
                continue
            self.known += 1
            if name != "socket":
                self.allow(number)
                continue
            for family in families:
                self.allow(number, self.Comparison(0, SCMP_CMP_EQ, getattr(socket, family), 0))

    def allow(self, number, *comparisons):
        array = (self.Comparison * len(comparisons))(*comparisons)
        action = ctypes.c_uint32(SCMP_ACT_ALLOW)
        result = self.library.seccomp_rule_add_array(self.context, action, number, len(comparisons), array)
        assert result == 0, f"system call {number}: {os.strerror(-result)}"

    def load(self):
        result = self.library.seccomp_load(self.context)
        if result:
            raise OSError(-result, "seccomp_load")


@dataclasses.dataclass
class Sandbox:
    """The sandbox of a process."""

    user: int
    root: str = "/"
    # Folders that it may change, by the folder whose content they have. All others are read-only, or in `private`.
    writable: dict = dataclasses.field(default_factory=dict)
    # Empty folders of its own.
    private: list = dataclasses.field(default_factory=list)
    # Empty folders that it may not change.
    hidden: list = dataclasses.field(default_factory=list)
    open_files: int | None = None
    umask: int = 0o022
    system_calls: SystemCalls | None = None
    refuses_new_code: bool = False

    def enter(self):
        """Moves this process into the sandbox, between fork and exec."""
        try:
            self.restrict()
        except Exception as error:
            # The parent process gets no error message.
            os.write(STANDARD_ERROR, f"sandbox: {error!r}\n".encode())
            raise

    def restrict(self):
        checked(LIBC.unshare(CLONE_NEWNS), "unshare")
        if self.root != "/":
            bind(self.root, self.root)
        make_read_only(self.root)
        for target, source in self.writable.items():
            bind(source, self.root.rstrip("/") + target)
        for target in self.private:
            mount("tmpfs", self.root.rstrip("/") + target, "tmpfs", options="mode=1777")
        for target in self.hidden:
            mount("tmpfs", self.root.rstrip("/") + target, "tmpfs", MS_RDONLY, "mode=0")
        os.chroot(self.root)
        os.chdir("/")
        os.umask(self.umask)
        if self.open_files:
            # Without CAP_SYS_RESOURCE, as in many containers, root cannot raise the limit that it has.
            limit = min(self.open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        for capability in range(LAST_CAPABILITY + 1):
            LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setresgid(self.user, self.user, self.user)
        os.setresuid(self.user, self.user, self.user)
        checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
        if self.refuses_new_code:
            checked(LIBC.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0), "no new code (Linux 6.3 or later)")
        if self.system_calls:
            self.system_calls.load()

    def run(self, command, environment):
        """Runs a command to its end. Returns its exit code and all output."""
        result = subprocess.run(
            command,
            env=environment,
            preexec_fn=self.enter,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
        return result.returncode, result.stdout


class Running:
    """A process that is terminated at the end of the block. The line of output that announces its start contains `ready`."""

    def __init__(self, command, environment, ready, sandbox=None):
        self.lines, self.has_started = [], False
        self.process = subprocess.Popen(
            command,
            env=environment,
            preexec_fn=sandbox and sandbox.enter,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started = threading.Event()
        self.reader = threading.Thread(target=self.read, args=(ready, started), daemon=True)
        self.reader.start()
        if not started.wait(LIMIT_S) or not self.has_started:
            self.process.kill()
            self.reader.join()
            raise RuntimeError(f"{command} does not start:\n{self.output}")

    def read(self, ready, started):
        for line in self.process.stdout:
            self.lines.append(line)
            if ready in line:
                self.has_started = True
                started.set()
        started.set()

    @property
    def output(self):
        return "".join(self.lines)

    def stop(self):
        """Stops the process with SIGTERM. Returns its exit code."""
        self.process.terminate()
        code = self.process.wait(LIMIT_S)
        self.reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
