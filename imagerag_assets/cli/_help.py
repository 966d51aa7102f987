"""How help looks: commands in groups, an example in each, and options for research only with --help-all."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from imagerag_assets.cli._examples import EXAMPLES

GROUPS: dict[str, tuple[str, ...]] = {
    "Ask about your imagery": ("ask", "ingest", "show", "watch", "scenes", "answers"),
    "Look and serve": ("demo", "serve", "mcp", "dev", "status", "doctor", "words"),
    "Check an answer": ("trace", "replay", "retry"),
    "Bring imagery in": ("explain", "sources", "purge", "export", "import"),
    "Say what to look for": ("concepts", "knowledge"),
    "Encoders and quality": ("encoders", "backfill", "rollback", "calibrate", "evaluate", "train"),
    "Keep it safe": ("backup", "restore", "index"),
}
"""Commands by group, both in the order in which `imagerag --help` lists them."""
OTHERS = "More"
"""Group of commands that are in none."""
RESEARCH = {
    "imagerag ask": frozenset({"path", "retrieval", "division", "mode", "plan"}),
    "imagerag watch add": frozenset({"path", "retrieval", "division", "plan"}),
}
"""Options that compare methods with each other; only --help-all shows them."""
HELP_OPTIONS = frozenset({"-h", "--help", "--help-all"})
_ALL = "imagerag.help_all"


class _Helpful:
    """What commands and groups of commands share."""

    params: list[Any]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, with --help-all before --help."""
        *given, last = super().get_params(ctx)  # type: ignore[misc]
        return [*given, self._help_all(ctx, last), last]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, then examples, each in one line that can be copied."""
        with self._without_research(ctx):
            super().format_help(ctx, formatter)  # type: ignore[misc]
        if examples := EXAMPLES.get(ctx.command_path):
            print(f" {'Example' if len(examples) == 1 else 'Examples'}:", file=sys.stdout)
            print(*(f"   {example}" for example in examples), sep="\n", end="\n\n")

    def _help_all(self, ctx: Any, like: Any) -> Any:
        made = self.__dict__.get("_help_all_option")
        if made is None:  # once, as options are compared by identity
            made = copy.copy(like)  # of whichever class this version of typer has
            made.name, made.opts, made.callback = "help_all", ["--help-all"], _print_all
            made.help = "Show this message with the options for research, and exit."
            made.hidden = ctx.command_path not in RESEARCH
            self.__dict__["_help_all_option"] = made
        return made

    @contextmanager
    def _without_research(self, ctx: Any) -> Iterator[None]:
        names = frozenset() if ctx.meta.get(_ALL) else RESEARCH.get(ctx.command_path, frozenset())
        hidden = [each for each in self.params if each.name in names and not each.hidden]
        for each in hidden:
            each.hidden = True
        try:
            yield
        finally:
            for each in hidden:
                each.hidden = False


def _print_all(ctx: Any, _: Any, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        print(ctx.get_help(), end="")
        raise typer.Exit


class Command(_Helpful, TyperCommand):
    """A command with examples."""


class Group(_Helpful, TyperGroup):
    """A group of commands, in the order of `GROUPS` where they are in it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        order = [name for group in GROUPS.values() for name in group]
        names = super().list_commands(ctx)
        if ctx.parent is not None:
            return names
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def arrange(app: typer.Typer, path: str = "imagerag") -> None:
    """Give all commands of an application their groups and their way to show help."""
    of = {name: group for group, names in GROUPS.items() for name in names} if path == "imagerag" else {}
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        group.cls = Group
    infos: list[Any] = [*app.registered_commands, *app.registered_groups]
    for info in infos:
        if path == "imagerag":
            info.rich_help_panel = of.get(info.name or "", OTHERS)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            arrange(group.typer_instance, f"{path} {group.name}")
