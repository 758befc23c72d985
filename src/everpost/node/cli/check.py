"""`everpost check`."""

import asyncio
import sys

import typer
from rich.console import Console
from rich.markup import escape

from everpost.node.check.finding import Finding, Level
from everpost.node.check.run import findings
from everpost.node.cli.context import JsonOption, SettingsOption, settings_of
from everpost.node.cli.output import show
from everpost.node.settings.model import Settings

_STYLE = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "bold red"}


def check(
    settings: SettingsOption = None,
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Say nothing of what is fine."),
    json: JsonOption = False,
) -> None:
    """Look for faults of the settings and the machine: ports, certificate, DNS, clock, disk, database.

    Ends with 3 if there are faults; warnings alone are no fault.
    """
    loaded = settings_of(settings)
    console = Console(highlight=False, soft_wrap=True, no_color=not sys.stdout.isatty())
    found = asyncio.run(_look(loaded, None if json else console, quiet=quiet))
    if json:
        show(
            [
                {"level": each.level.value, "subject": each.subject, "text": each.text, "mend": each.mend}
                for each in found
                if not quiet or each.level is not Level.OK
            ],
            json=True,
            plain="",
        )
    else:
        counts = {level: sum(each.level is level for each in found) for level in Level}
        console.print(f"\n{counts[Level.FAULT]} faults, {counts[Level.WARNING]} warnings, {counts[Level.OK]} fine")
    if any(each.level is Level.FAULT for each in found):
        raise typer.Exit(3)


async def _look(settings: Settings, console: Console | None, *, quiet: bool) -> list[Finding]:
    found = []
    async for each in findings(settings):
        found.append(each)
        if console is not None and not (quiet and each.level is Level.OK):
            console.print(f"[{_STYLE[each.level]}]{each.level.value:8}[/] {escape(f'{each.subject}: {each.text}')}")
            if each.mend:
                console.print(f"         mend: {each.mend}", markup=False)
    return found
