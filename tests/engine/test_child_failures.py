"""However a model fails, its child says so or dies, and the worker knows which it was."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from probe_backend import MARKS, UNLOADABLE

import probes
from darkroom import errors
from darkroom.engine import protocol
from darkroom.engine.process import Process
from ground import wait_until


@pytest.fixture(autouse=True)
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe among the installed packages, its marks in a folder."""
    (tmp_path / "work").mkdir()
    environment = probes.install(tmp_path)
    for name in ("PYTHONPATH", MARKS):
        monkeypatch.setenv(name, environment[name])


def _run(tmp_path: Path, story: Callable[[Process], Awaitable[Any]], **bounds: int) -> Any:
    """A story about one child."""

    async def told() -> Any:
        process = await Process.start(**bounds)
        try:
            return await story(process)
        finally:
            await process.kill()

    return asyncio.run(told())


async def _made(
    process: Process, tmp_path: Path, prompt: str, model: str = "PROBE", backend: str = "probe"
) -> list[Any]:
    folder = str(tmp_path / "work")
    asked = protocol.Run(backend, model, "text-to-image", {"prompt": prompt}, {}, folder, 7)
    return [told async for told in process.run(asked)]


def _is_gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for yet has, too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.mark.parametrize(
    ("prompt", "error", "said", "is_alive"),
    [
        ("refuse", errors.BadInput, "told to refuse", True),
        ("refuse strangely", errors.BadInput, "refuse strangely", True),
        ("break", errors.BackendFailed, "The model failed: ValueError: The probe", True),
        ("break oddly", errors.BackendFailed, r"odd  text \?!!!", True),
        ("hog", errors.OutOfMemory, "Ask for a smaller size", False),
        ("fill gpu", errors.OutOfMemory, "Ask for a smaller size", False),
        ("crash always", errors.BackendCrashed, "ended by SIGKILL", False),
        ("exit", errors.BackendCrashed, "exit status 3", False),
        ("babble", errors.BackendCrashed, "no message", False),
        ("babble a little", errors.BackendCrashed, "no message", False),
    ],
)
def test_a_failure_is_told_by_its_class(tmp_path, prompt, error, said, is_alive) -> None:
    async def story(process: Process) -> bool:
        with pytest.raises(error, match=said) as failed:
            await _made(process, tmp_path, prompt)
        assert type(failed.value) is error
        assert len(failed.value.message) < 2000
        return process.alive

    assert _run(tmp_path, story) is is_alive


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": UNLOADABLE}, "could not be loaded: FileNotFoundError: weights/unet"),
        ({"backend": "nobody"}, "No installed package has a backend nobody"),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_its_task_and_no_other(tmp_path, asked, said) -> None:
    async def story(process: Process) -> Any:
        process.warm(asked.get("backend", "probe"), asked.get("model", "PROBE"))
        for _ in range(2):
            with pytest.raises(errors.BackendFailed, match=said):
                await _made(process, tmp_path, "plain", **asked)
        return (await _made(process, tmp_path, "plain"))[-1]

    assert isinstance(_run(tmp_path, story), protocol.Made)


def test_a_death_before_the_task_is_taken_up_is_none_of_its_doing(tmp_path) -> None:
    async def story(process: Process) -> None:
        os.kill(process.pid, signal.SIGSEGV)
        with pytest.raises(errors.Hindered, match="SIGSEGV before it took up the task"):
            await _made(process, tmp_path, "plain")

    _run(tmp_path, story)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux bounds memory")
def test_memory_is_bounded_by_what_is_used_and_not_by_what_is_mapped(tmp_path) -> None:
    async def story(process: Process) -> Any:
        await _made(process, tmp_path, "reserve")
        with pytest.raises(errors.OutOfMemory):
            await _made(process, tmp_path, "allocate")

    _run(tmp_path, story, memory_mb=512)


@pytest.mark.parametrize("prompt", ["allocate", "reserve"])
def test_without_a_bound_a_child_may_use_the_machine_s_memory(tmp_path, prompt) -> None:
    made = _run(tmp_path, lambda process: _made(process, tmp_path, prompt))
    assert isinstance(made[-1], protocol.Made)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="read from /proc")
def test_a_child_goes_behind_its_worker_and_leaves_no_core(tmp_path) -> None:
    async def story(process: Process) -> dict[str, str]:
        await _made(process, tmp_path, "plain")
        about = Path(f"/proc/{process.pid}")
        names = ("environ", "limits", "oom_score_adj", "autogroup")
        seen = {name: (about / name).read_text() for name in names if (about / name).exists()}
        return seen | {"nice": str(os.getpriority(os.PRIO_PROCESS, process.pid))}

    seen = _run(tmp_path, story, threads=3)
    assert int(seen["nice"]) == min(os.nice(0) + 10, 19)
    ours = int(Path("/proc/self/oom_score_adj").read_text())
    assert int(seen["oom_score_adj"]) == min(ours + 500, 1000)
    assert seen.get("autogroup", "nice 10").strip().endswith("nice 10")
    assert "OMP_NUM_THREADS=3" in seen["environ"].split("\0")
    [core] = [line.split() for line in seen["limits"].splitlines() if "core file" in line]
    assert core[4:6] == ["0", "0"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="read from /proc")
@pytest.mark.parametrize("prompt", ["hang, spawn", "deaf, spawn", "grip, spawn"])
def test_a_kill_takes_what_the_model_started(tmp_path, prompt) -> None:
    async def story(process: Process) -> None:
        running = asyncio.create_task(_made(process, tmp_path, prompt))
        mark = tmp_path / "marks" / f"work.{process.pid}"
        started = await asyncio.to_thread(wait_until, lambda: _started(mark))
        process.cancel()
        await process.kill()
        with pytest.raises(errors.BackendCrashed, match="SIGKILL"):
            await running
        await asyncio.to_thread(wait_until, lambda: _is_gone(started) and _is_gone(process.pid))

    _run(tmp_path, story)


def _started(mark: Path) -> int:
    """The process that a model started, once it has: the mark names the worker before."""
    number = int(mark.read_text() or 0) if mark.exists() else 0
    return 0 if number == os.getpid() else number
