"""The command `darkroom`: a table of commands, each loaded when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from darkroom import errors
from darkroom.cli import lazy

INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a command stands, and its line in the list of commands."""

    target: str
    says: str


class Table(click.Group):
    """A group whose commands stand in a table, so that the base install lists and runs its own."""

    def __init__(self, name: str, entries: Mapping[str, Entry], **settings: Any) -> None:
        super().__init__(name, **settings)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries.get(cmd_name)
        command = None if entry is None else lazy.load(entry.target)
        assert command is None or isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.says) for name, entry in self._entries.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errors.DarkroomError as exc:
            raise click.ClickException(exc.message) from exc
        except OSError as exc:
            if isinstance(exc, BrokenPipeError):
                raise  # click ends quietly when nobody reads on
            raise click.ClickException(str(exc)) from exc
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


COMMANDS = {
    "quickstart": Entry(
        "darkroom.cli.quickstart:quickstart", "Start everything and make a first picture."
    ),
    "serve": Entry("darkroom.cli.server:serve", "Serve the API, run tasks, keep the house."),
    "work": Entry("darkroom.cli.processes:work", "Run tasks for the servers on one database."),
    "daemon": Entry("darkroom.cli.processes:daemon", "Take back lost tasks, forget old records."),
    "generate": Entry("darkroom.cli.generate:generate", "Make pictures and save them."),
    "cancel": Entry("darkroom.cli.cancel:cancel", "Cancel a task, or all tasks of a batch."),
    "webhook": Entry("darkroom.cli.webhooks:webhook", "Webhooks: deliveries, endpoints, secret."),
    "listen": Entry("darkroom.cli.listen:listen", "Print webhooks, pass them to a local port."),
    "models": Entry("darkroom.cli.models:models", "List the models; add one, try one."),
    "workers": Entry("darkroom.cli.workers:list_workers", "List the workers and what they run."),
    "account": Entry("darkroom.cli.accounts:account", "Create, list, limit, suspend accounts."),
    "letters": Entry("darkroom.cli.letters:list_letters", "List the letters and their links."),
    "key": Entry("darkroom.cli.keys:key", "Create, list and revoke API keys."),
    "grant": Entry("darkroom.cli.grants:grant", "Give an account credits."),
    "settings": Entry("darkroom.cli.settings:settings", "List the settings and their sources."),
    "audit": Entry("darkroom.cli.audit:audit", "Prove that the books are right."),
}

main = click.version_option(package_name="darkroom", prog_name="darkroom")(
    Table(
        "darkroom",
        COMMANDS,
        help="Darkroom: a self-hosted AI media generation platform.\n\n"
        "Settings are variables DARKROOM_*, a file darkroom.toml, or flags.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
)
