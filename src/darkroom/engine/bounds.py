"""What a child may take of the machine: threads, memory, a GPU, and its turn after the server's."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from pathlib import Path

# Behind the server and PostgreSQL where there is too little of the processor, from 0 to 19.
_NICE = 10
# Before them where there is too little memory: as if half of the machine's were the child's.
_OOM_SCORE = 500
_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "OPENCV_FOR_THREADS_NUM", "RAYON_NUM_THREADS"),
    "PYTHON_CPU_COUNT",  # what os.cpu_count() answers, from Python 3.13 on
)
# Pictures are worked on in arrays that come and go by the thousand: glibc would give each back to
# the system and ask for it anew, page by page, a tenth of what a film takes (mallopt(3)).
_HEAP = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}


def environment(threads: int, gpu: str | None) -> dict[str, str]:
    """The variables by which libraries learn, when they are loaded, what they may use.

    So many threads, and one GPU by the number that nvidia-smi shows, or its UUID; None: what the
    worker may use (CUDA C Programming Guide, "CUDA Environment Variables").
    """
    said = dict.fromkeys(_THREADS, str(threads)) | _HEAP
    if gpu is not None:
        said |= {"CUDA_VISIBLE_DEVICES": gpu, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return said


def apply(memory_mb: int) -> None:
    """Put the bounds on this process and all that it will start; 0 MB: as much memory as there is.

    What a system does not have is left out: macOS keeps no bound of memory and has no OOM killer.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICE)
    if sys.platform != "linux":
        return
    if memory_mb:
        _bound_memory(memory_mb * 2**20)
    # A child is a session of its own, and between sessions the kernel weighs this instead:
    # sched(7), "The autogroup feature".
    _tell_autogroup()
    with contextlib.suppress(OSError):
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(min(int(score.read_text(encoding="ascii")) + _OOM_SCORE, 1000)))


def _bound_memory(size: int) -> None:
    """Let the kernel refuse this process more than so many bytes of its own.

    RLIMIT_DATA counts what is private and can be written to: the heap and every library's
    allocations (getrlimit(2), since Linux 4.7). RLIMIT_AS would also count address space that is
    only reserved, and CUDA reserves more of it at its start than the machine has memory; RLIMIT_RSS
    has no effect. Weights that are mapped to be read, and the GPU's memory, are not counted.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _tell_autogroup() -> None:
    """Lower the session's weight; where it cannot be told, the child runs without."""
    for _ in range(20):
        try:
            Path("/proc/self/autogroup").write_text(str(_NICE))
        except BlockingIOError:  # all of a system's users may do it ten times a second
            time.sleep(0.1)
        except OSError:
            return
        else:
            return


def oom_kills() -> int:
    """How many processes the kernel has ended for want of memory since it started."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0
