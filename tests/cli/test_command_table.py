"""The table of commands: help, usage errors, and the base install without the server."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import click
import pytest

from darkroom.cli.main import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_table_leads_to_a_command_that_says_what_it_does(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_help_lists_every_command(bare) -> None:
    done = bare("--help")
    assert done.code == 0
    assert all(re.search(rf"(?m)^  {name} ", done.out) for name in COMMANDS)


def test_version_is_that_of_the_package(bare) -> None:
    assert bare("--version").out.split()[-1] == metadata.version("darkroom")


@pytest.mark.parametrize("arguments", [("bogus",), ("generate", "poem"), ("grant", "a@b"), ()])
def test_wrong_usage_exits_2(bare, arguments: tuple[str, ...]) -> None:
    done = bare(*arguments)
    assert done.code == 2
    assert "Usage: darkroom" in done.err


def test_bad_setting_is_one_sentence(bare) -> None:
    bare.environment["DARKROOM_PORT"] = "many"
    assert "DARKROOM_PORT" in bare("audit").sentence


def test_interrupt_is_quiet(bare) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with bare.running("models", "--server", url) as process:
            silent.settimeout(60)
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("", "")
            connection.close()
    assert process.returncode == 130


def client_install(folder: Path) -> Path:
    """A folder with links to what the base install has, and nothing else."""
    wanted, names = ["darkroom"], set()
    while wanted:
        name = wanted.pop()
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another Python or another system
        names.add(name)
        for file in found.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__", "darkroom") and not (folder / top).exists():
                (folder / top).symlink_to(found.locate_file(top))
        needed = [re.match(r"[\w.-]+", one) for one in found.requires or () if "extra" not in one]
        wanted += [one[0] for one in needed if one and one[0] not in names]
    (folder / "darkroom").symlink_to(Path(sys.modules["darkroom"].__file__ or "").parent)
    return folder


def test_install_without_the_server_runs_the_client_and_says_how_to_get_it(
    bare, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    bare.environment["PYTHONPATH"] = str(client_install(tmp_path / "site"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-S", "-m", "darkroom", *arguments],
            env=bare.environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--help").returncode == 0
    assert "--prompt" in run("generate", "--help").stdout
    refused = run("audit")
    assert refused.returncode == 1
    assert "Install the server with: pip install 'darkroom[server]'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    unreachable = run("models", "--server", "http://127.0.0.1:9")
    assert "No server answers at http://127.0.0.1:9" in unreachable.stderr
