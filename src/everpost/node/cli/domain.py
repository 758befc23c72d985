"""`everpost domain`."""

import typer

from everpost.accounts.administration import DEFAULT_TENANT, Unknown
from everpost.accounts.values import Target
from everpost.core.address import domain_to_ascii
from everpost.node.cli.context import JsonOption, SettingsOption, Tools, run
from everpost.node.cli.context import address as parse
from everpost.node.cli.output import aligned, show, show_list

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


@app.command("show")
def show_(name: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Show a domain: who answers for it, and where mail for unknown addresses goes."""

    async def work(tools: Tools) -> dict[str, object]:
        ascii_name = domain_to_ascii(name)
        domain = await tools.directory.domain(ascii_name)
        if domain is None:
            raise Unknown(f"the domain {name} is not hosted here")
        line = next(each for each in await tools.directory.list_domains() if each.name == ascii_name)
        return {
            "domain": ascii_name,
            "tenant": line.tenant,
            "accounts": line.accounts,
            "addresses": line.addresses,
            "postmaster": [await _named(tools, each) for each in await tools.directory.postmaster(domain)],
            "catch_all": [await _named(tools, each) for each in domain.catch_all],
        }

    values = run(settings, work)
    show(values, json=json, plain=aligned(values))


async def _named(tools: Tools, target: Target) -> str:
    if target.account_id is None:
        return target.remote or ""
    account = await tools.directory.account(target.account_id)
    return "" if account is None else str(account.address)


@app.command()
def postmaster(
    name: str,
    address: str = typer.Argument("", help="Who; the domain's oldest account if not given."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Say who gets mail for the domain's postmaster and abuse, unless it has such addresses."""
    run(settings, lambda tools: tools.directory.set_postmaster(name, parse(address) if address else None))
    show({"domain": name, "postmaster": address}, json=json, plain=f"{name}: {address or 'its oldest account'}")


@app.command()
def remove(name: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Host a domain no more; it must have no accounts."""
    run(settings, lambda tools: tools.directory.remove_domain(name))
    show({"removed": name}, json=json, plain=f"{name} is not hosted any more")
