"""`everpost address`."""

import typer

from everpost.node.cli.context import JsonOption, SettingsOption, Tools, run
from everpost.node.cli.context import address as parse
from everpost.node.cli.output import show, show_list

app = typer.Typer(no_args_is_help=True, help="Addresses: aliases, forwards, lists of targets, catch-alls.")

_TITLES = {"address": "ADDRESS", "targets": "LEADS TO"}


@app.command()
def add(
    address: str = typer.Argument(help="The address; *@example.org catches everything else of a domain."),
    targets: list[str] = typer.Argument(help="Accounts here, or addresses anywhere."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Make an address, or give it other targets.

    [bold]everpost address add sales@example.org ann@example.org bob@elsewhere.net[/bold]
    """

    async def work(tools: Tools) -> None:
        if address.startswith("*@"):
            await tools.directory.set_catch_all(address[2:], [parse(target) for target in targets])
        else:
            await tools.directory.add_address(parse(address), [parse(target) for target in targets])

    run(settings, work)
    show({"address": address, "targets": targets}, json=json, plain=f"{address} leads to {', '.join(targets)}")


@app.command("list")
def list_(
    domain: str = typer.Argument("", help="Only of this domain."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """List addresses with where they lead, accounts' own included."""
    rows = run(settings, lambda tools: tools.directory.list_addresses(domain or None))
    show_list(rows, _TITLES, json=json, empty="no addresses yet")


@app.command()
def remove(address: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Remove an alias, forward or catch-all."""

    async def work(tools: Tools) -> None:
        if address.startswith("*@"):
            await tools.directory.set_catch_all(address[2:], [])
        else:
            await tools.directory.remove_address(parse(address))

    run(settings, work)
    show({"removed": address}, json=json, plain=f"{address} is gone")
