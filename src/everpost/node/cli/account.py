"""`everpost account`."""

import sys
from dataclasses import dataclass

import typer

from everpost.accounts import passwords
from everpost.node.cli.context import JsonOption, SettingsOption, Tools, address, run
from everpost.node.cli.output import aligned, show, show_list, size
from everpost.node.settings.read import read_size

app = typer.Typer(no_args_is_help=True, help="Accounts: mailboxes with an owner.")

_TITLES = {"address": "ACCOUNT", "name": "NAME", "quota": "QUOTA", "active": "ACTIVE"}


@dataclass(frozen=True, slots=True)
class _Line:
    address: str
    name: str
    quota: str
    quota_bytes: int
    active: bool


@app.command()
def add(
    account: str = typer.Argument(help="The account's address, which is also its login."),
    name: str = typer.Option("", help="The owner's name."),
    quota: str = typer.Option("", help='What it may hold, such as "10 GiB"; the settings\' default if not given.'),
    password_stdin: bool = typer.Option(False, "--stdin", help="Read the password from standard input."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Make an account; a password is made and shown unless one is given by [bold]--stdin[/bold]."""
    given = sys.stdin.readline().rstrip("\n") if password_stdin else ""
    password = given or passwords.generate()

    async def work(tools: Tools) -> None:
        allowed = read_size(quota) if quota else tools.settings.limits.quota
        await tools.directory.add_account(address(account), password, name, allowed)

    run(settings, work)
    result = {"account": account} | ({} if given else {"password": password})
    show(result, json=json, plain=f"{account} is there" + ("" if given else f", with the password {password}"))


@app.command("list")
def list_(
    domain: str = typer.Argument("", help="Only of this domain."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """List accounts."""

    async def work(tools: Tools) -> list[_Line]:
        lines: list[_Line] = []
        after = ""
        while rows := await tools.directory.list_accounts(domain or None, after):
            lines += [
                _Line(
                    row.address,
                    row.name,
                    size(row.quota_bytes) if row.quota_bytes else "-",
                    row.quota_bytes,
                    row.active,
                )
                for row in rows
            ]
            after = address(rows[-1].address).key
        return lines

    show_list(run(settings, work), _TITLES, json=json, empty="no accounts yet; everpost account add ADDRESS")


@app.command("show")
def show_(account: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Show an account and what it holds."""

    async def work(tools: Tools) -> dict[str, object]:
        line = await tools.directory.show_account(address(account))
        found = await tools.directory.account_of(address(account).key)
        assert found is not None
        usage = await (await tools.mailboxes.open(found.account_id, found.quota_bytes)).usage()
        return {
            "account": line.address,
            "name": line.name,
            "active": line.active,
            "quota_bytes": line.quota_bytes,
            "bytes": usage.bytes,
            "messages": usage.messages,
        }

    values = run(settings, work)
    show(values, json=json, plain=aligned(values))


@app.command()
def remove(
    account: str,
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Remove an account and all its mail. This cannot be undone."""
    if not yes:
        typer.confirm(f"Remove {account} and all its mail?", abort=True)

    async def work(tools: Tools) -> None:
        account_id = await tools.directory.remove_account(address(account))
        await (await tools.mailboxes.open(account_id)).delete_all()

    run(settings, work)
    show({"removed": account}, json=json, plain=f"{account} is gone")


@app.command()
def suspend(account: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Let nobody log in and refuse mail, and keep everything."""
    run(settings, lambda tools: tools.directory.set_active(address(account), False))
    show({"account": account, "active": False}, json=json, plain=f"{account} is suspended")


@app.command()
def resume(account: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """End a suspension."""
    run(settings, lambda tools: tools.directory.set_active(address(account), True))
    show({"account": account, "active": True}, json=json, plain=f"{account} is active")


@app.command()
def quota(
    account: str,
    limit: str = typer.Argument(help='Such as "10 GiB"; 0 for no limit.'),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Change what an account may hold."""
    count = read_size(limit)
    run(settings, lambda tools: tools.directory.change_account(address(account), quota_bytes=count))
    show({"account": account, "quota_bytes": count}, json=json, plain=f"{account} may hold {size(count)}")
