"""`work` and `daemon`: the long-running processes that answer nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from darkroom import config
from darkroom.cli import house
from darkroom.config import Config
from darkroom.engine.daemon import Daemon
from darkroom.engine.worker import Worker

DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder of all data.")
DATABASE_URL = click.option("--database-url", help="PostgreSQL to use instead of the embedded.")
WORKERS = click.option("--workers", type=int, help="Tasks run at once; 0: none here.")


@click.command()
@DATA
@DATABASE_URL
@WORKERS
@click.option("--models", metavar="A,B", help="Run tasks of these models only.")
@click.option("--gpus", metavar="0,1", help="GPUs to use, one for each child.")
def work(**flags: Any) -> None:
    """Run tasks for the servers on the same database."""
    settings = config.load(flags, os.environ)
    house.run(_work(settings), settings)


@click.command()
@DATA
@DATABASE_URL
def daemon(**flags: Any) -> None:
    """Keep the house: take back lost tasks, forget old call records."""
    settings = config.load(flags, os.environ)
    house.run(_daemon(settings), settings)


async def _work(settings: Config) -> None:
    authority = house.read_authority(settings)
    async with house.opened(settings) as home:
        house.check_models(settings, home.catalogue)
        worker = Worker(home.database, home.files, home.catalogue, settings, authority)
        click.echo("Darkroom works.")
        await worker.run(home.stop)


async def _daemon(settings: Config) -> None:
    async with house.opened(settings) as home:
        click.echo("Darkroom keeps the house.")
        await Daemon(home.database, home.files, settings, home.stripe).run(home.stop)
