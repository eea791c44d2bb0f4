"""Imitation of Windows in a process on Linux.

    import windows; windows.imitate()

must precede every other import. Functions that Windows lacks are removed. Open files cannot be renamed, replaced or
removed.
"""

import ctypes
import multiprocessing.context
import os
import shutil
import signal
import sys
import warnings
from pathlib import Path

MODULES = ("fcntl", "grp", "pwd", "resource", "termios")
CALLS = (
    "fchmod", "fdatasync", "fork", "forkpty", "getloadavg", "getpgid", "geteuid", "getuid", "killpg", "lockf",
    "mkfifo", "nice", "posix_fadvise", "posix_fallocate", "pread", "preadv", "pwrite", "pwritev",
    "sched_getaffinity", "sched_setaffinity", "setsid", "statvfs", "sysconf",
)  # fmt: skip
SIGNALS = ("SIGALRM", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGUSR2", "alarm", "pthread_sigmask", "setitimer", "sigwait")

REFUSED: list[str] = []
"""Names of open files that this process tried to rename, replace or remove."""


def imitate() -> None:
    """Remove the functions that Windows lacks, and refuse the calls that it refuses."""
    import portalocker  # noqa: F401  # sacrebleu uses it; it chooses its locks by the name of the system

    sys.modules |= dict.fromkeys(MODULES)
    for module, names in ((os, CALLS), (signal, SIGNALS)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for method in ("fork", "forkserver"):
        multiprocessing.context._concrete_contexts.pop(method)
    multiprocessing.context._default_context._default_context = multiprocessing.get_context("spawn")
    shutil._use_fd_functions = False  # remove files of a folder by their paths
    for name in ("remove", "rename", "replace", "rmdir", "unlink"):
        setattr(os, name, refusing(getattr(os, name)))
    open_file = os.open

    def open_no_folder(path, flags, *rest, **more):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, flags, *rest, **more)

    class Library(ctypes.CDLL):
        def __init__(self, name, *rest, **more):
            if name is None:
                raise TypeError("bad argument type for built-in operation")
            super().__init__(name, *rest, **more)

    os.open, ctypes.CDLL = open_no_folder, Library
    # Windows has another default encoding.
    warnings.filterwarnings("error", category=EncodingWarning, module=r"seq2seq|recipes")


def held() -> set[str]:
    """Files that this process has open or mapped."""
    result = set()
    for link in os.listdir("/proc/self/fd"):
        try:
            result.add(os.readlink(f"/proc/self/fd/{link}"))
        except FileNotFoundError:  # the descriptor of this listing
            continue
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return result | {"/" + line.partition("/")[2] for line in lines if "/" in line}


def refusing(call):
    """Return the function, which raises if one of its paths, or a file below it, is open."""

    def refuse(*paths, **more):
        files = held()
        for path in paths:
            place = os.path.realpath(path)
            if place in files or any(file.startswith(place + os.sep) for file in files):
                REFUSED.append(os.path.basename(path))
                raise PermissionError(13, f"{call.__name__}: used by this process", str(path))
        return call(*paths, **more)

    return refuse
