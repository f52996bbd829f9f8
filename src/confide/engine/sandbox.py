"""Confinement of a worker process, in two halves: before the heavy imports, and before the first byte of a model.

1. `enter`: die with the parent, no core dumps, not readable by debuggers, no new privileges, namespaces of its own (user, network,
   IPC, host name) where the kernel permits.
2. `seal`: no file system (Landlock, man 7 landlock), no writing of files, no children, only listed system calls (`seccomp.py`).

What was achieved is returned by name and reported by the engine; what the kernel refused is not silently assumed. The order
matters: namespaces need a single thread, libraries need their files, and no model is parsed before the second half is in place.
"""

import ctypes
import os
import platform
import resource

from confide.engine import seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h
_CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x04000000, 0x08000000, 0x10000000, 0x40000000  # linux/sched.h
_SIGKILL = 9
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # the same on all architectures
_LANDLOCK_VERSION = 1  # flag: return the ABI version
# LANDLOCK_ACCESS_FS_*: bits 0 to 12 in ABI 1, REFER in 2, TRUNCATE in 3, IOCTL_DEV in 5 (linux/landlock.h)
_LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def enter(*, memory: int) -> list[str]:
    """The first half: before libraries are imported, while there is one thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    achieved = []
    for name, option, value in (
        ("dies-with-engine", _PR_SET_PDEATHSIG, _SIGKILL),
        ("not-dumpable", _PR_SET_DUMPABLE, 0),
        ("no-new-privileges", _PR_SET_NO_NEW_PRIVS, 1),
    ):
        if libc.prctl(option, value, 0, 0, 0) == 0:
            achieved.append(name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    spaces = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    if libc.unshare(_CLONE_NEWUSER | spaces) == 0:
        achieved += ["user-namespace", "network-namespace"]
    elif libc.unshare(spaces) == 0:
        achieved.append("network-namespace")
    return achieved


def seal() -> list[str]:
    """The second half: after imports, before any model byte. Nothing here can be undone."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    achieved = ["no-file-writes"]
    if _landlock():
        achieved.append("landlock")
    if seccomp.install():
        achieved.append("seccomp")
    return achieved


def _landlock() -> bool:
    """A ruleset that handles every file system right and grants none."""
    if platform.system() != "Linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION)
    if abi < 1:
        return False
    rights = ctypes.c_uint64((1 << _LANDLOCK_RIGHTS[min(abi, 5)]) - 1)
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rights), 8, 0)
    if ruleset < 0:
        return False
    restricted = libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return bool(restricted)
