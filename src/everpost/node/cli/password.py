"""`everpost password`."""

import sys

import typer

from everpost.accounts import passwords
from everpost.node.cli.context import JsonOption, SettingsOption, address, run
from everpost.node.cli.output import show, show_list
from everpost.store.sql.credentials import APP

app = typer.Typer(no_args_is_help=True, help="Passwords of accounts, and app passwords for single devices.")

app_passwords = typer.Typer(no_args_is_help=True, help="App passwords: each for one device, taken back by itself.")
app.add_typer(app_passwords, name="app")

_TITLES = {"credential_id": "ID", "kind": "KIND", "label": "LABEL"}


@app.command("set")
def set_(
    account: str,
    stdin: bool = typer.Option(False, "--stdin", help="Read it from standard input."),
    generate: bool = typer.Option(False, "--generate", help="Make one and show it."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Give an account another password; asks for it unless told otherwise."""
    if generate:
        password = passwords.generate()
    elif stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    run(settings, lambda tools: tools.directory.set_password(address(account), password))
    result = {"account": account} | ({"password": password} if generate else {})
    show(result, json=json, plain=f"{account} has a new password" + (f": {password}" if generate else ""))


@app.command("list")
def list_(account: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """List an account's password and app passwords, not the secrets."""
    rows = run(settings, lambda tools: tools.directory.list_credentials(address(account)))
    show_list(rows, _TITLES, json=json, empty="no credentials")


@app_passwords.command("add")
def add(
    account: str,
    label: str = typer.Argument(help="What it is for, such as a device's name."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Make an app password; it is shown once."""
    shown = run(settings, lambda tools: tools.directory.add_app_password(address(account), label))
    show({"account": account, "label": label, "password": shown}, json=json, plain=shown)


@app_passwords.command("list")
def list_app(account: str, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """List an account's app passwords, not the secrets."""
    rows = run(settings, lambda tools: tools.directory.list_credentials(address(account)))
    shown = [row for row in rows if row.kind == APP]
    show_list(shown, {"credential_id": "ID", "label": "LABEL"}, json=json, empty="no app passwords")


@app_passwords.command()
def revoke(account: str, credential: int, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Take an app password back, by its id in the list."""
    run(settings, lambda tools: tools.directory.remove_app_password(address(account), credential))
    show({"account": account, "revoked": credential}, json=json, plain="revoked")
