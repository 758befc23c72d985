"""`everpost domain`."""

import typer

from everpost.accounts.administration import DEFAULT_TENANT
from everpost.node.cli.context import JsonOption, SettingsOption, run
from everpost.node.cli.output import show, show_list

app = typer.Typer(no_args_is_help=True, help="Domains hosted here.")

_TITLES = {"name": "DOMAIN", "tenant": "TENANT", "accounts": "ACCOUNTS", "addresses": "ADDRESSES"}


@app.command()
def add(
    name: str,
    tenant: str = typer.Option(DEFAULT_TENANT, help="Whose domain it is."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Host a domain: [bold]everpost domain add example.org[/bold]."""
    run(settings, lambda tools: tools.directory.add_domain(name, tenant))
    show({"domain": name, "tenant": tenant}, json=json, plain=f"{name} is hosted now")


@app.command("list")
def list_(settings: SettingsOption = None, json: JsonOption = False) -> None:
    """List the domains."""
    rows = run(settings, lambda tools: tools.directory.list_domains())
    show_list(rows, _TITLES, json=json, empty="no domains yet; everpost domain add NAME")


@app.command()
def remove(name: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Host a domain no more; it must have no accounts."""
    run(settings, lambda tools: tools.directory.remove_domain(name))
    show({"removed": name}, json=json, plain=f"{name} is not hosted any more")
