"""A seccomp filter for workers: the system calls that inference needs, everything else answers EPERM (man 2 seccomp).

An allow-list. After it is in place a worker cannot open a file, make a socket, start a program or a thread, look at another
process, map executable memory, or make another memory file; it can compute, allocate, and talk over the descriptors it already has.
Numbers are those of the kernel's system call tables for x86-64 and AArch64.

Left to others: the other measures (`sandbox.py`).
"""

import ctypes
import errno
import platform
import struct

_ALLOWED_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "munmap": 11, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "msync": 26, "mincore": 27, "madvise": 28,
    "dup": 32, "nanosleep": 35, "getpid": 39, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "shutdown": 48,
    "exit": 60, "uname": 63, "fcntl": 72, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99,
    "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204, "restart_syscall": 219,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234,
    "get_mempolicy": 239, "ppoll": 271, "set_robust_list": 273, "getcpu": 309, "getrandom": 318, "membarrier": 324,
    "rseq": 334, "futex_waitv": 449,
}  # fmt: skip
_MAPPING_X86_64 = {"mmap": 9, "mprotect": 10}
_ALLOWED_AARCH64 = {
    "dup": 23, "fcntl": 25, "close": 57, "lseek": 62, "read": 63, "write": 64, "ppoll": 73, "fstat": 80, "exit": 93,
    "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114,
    "clock_nanosleep": 115, "sched_getaffinity": 123, "sched_yield": 124, "restart_syscall": 128, "tgkill": 131,
    "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "uname": 160, "getrlimit": 163,
    "getrusage": 165, "getcpu": 168, "gettimeofday": 169, "getpid": 172, "gettid": 178, "sysinfo": 179, "sendto": 206,
    "recvfrom": 207, "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "brk": 214, "munmap": 215, "mremap": 216,
    "msync": 227, "mincore": 232, "madvise": 233, "get_mempolicy": 236, "getrandom": 278, "membarrier": 283, "rseq": 293,
    "futex_waitv": 449,
}  # fmt: skip
_MAPPING_AARCH64 = {"mmap": 222, "mprotect": 226}

# linux/audit.h AUDIT_ARCH_*: machine number, then __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE; and the number of seccomp(2)
_ARCHITECTURES = {
    "x86_64": (0xC000003E, 317, _ALLOWED_X86_64, _MAPPING_X86_64),
    "aarch64": (0xC00000B7, 277, _ALLOWED_AARCH64, _MAPPING_AARCH64),
}

_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h: LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000  # linux/seccomp.h
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_PROT_EXEC = 4
_NUMBER_AT, _ARCH_AT, _THIRD_ARGUMENT_AT = 0, 4, 16 + 2 * 8  # struct seccomp_data


class _Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install() -> bool:
    """Filter every thread of this process from now on; False where kernel or architecture cannot. Needs no_new_privs."""
    if platform.machine() not in _ARCHITECTURES:
        return False
    arch, number, allowed, mapping = _ARCHITECTURES[platform.machine()]
    code = program(arch, allowed=sorted(allowed.values()), mapping=sorted(mapping.values()))
    buffer = ctypes.create_string_buffer(code, len(code))
    header = _Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(number, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(header)) == 0)


def program(arch: int, *, allowed: list[int], mapping: list[int]) -> bytes:
    """The classic BPF program: another architecture is killed, listed calls pass, mappings pass unless executable."""
    calls = len(allowed) + len(mapping)
    lines = [_line(_LOAD, _ARCH_AT), _line(_JUMP_EQUAL, arch, jump_true=1), _line(_RETURN, _KILL), _line(_LOAD, _NUMBER_AT)]
    for index, number in enumerate(allowed):
        lines.append(_line(_JUMP_EQUAL, number, jump_true=calls - index))  # to ALLOW
    for index, number in enumerate(mapping):
        lines.append(_line(_JUMP_EQUAL, number, jump_true=len(mapping) - index + 1))  # to the protection check
    lines.append(_line(_RETURN, _ERRNO | errno.EPERM))
    lines.append(_line(_RETURN, _ALLOW))
    lines += [_line(_LOAD, _THIRD_ARGUMENT_AT), _line(_JUMP_SET, _PROT_EXEC, jump_false=1)]
    lines += [_line(_RETURN, _ERRNO | errno.EPERM), _line(_RETURN, _ALLOW)]
    return b"".join(lines)


def _line(code: int, value: int, *, jump_true: int = 0, jump_false: int = 0) -> bytes:
    """struct sock_filter (linux/filter.h): u16 code, u8 jt, u8 jf, u32 k."""
    return struct.pack("=HBBI", code, jump_true, jump_false, value)
