"""The command line: `everpost`.

Exit codes: 0 done; 1 refused or not found; 2 wrong usage; 3 faults in the settings, or found by `check`;
4 try again later.
"""

import sys

import typer

from everpost import __version__
from everpost.core.errors import Broken, EverpostError, TryLater
from everpost.node import logging
from everpost.node.cli import account, address, check, demo, domain, init, password, queue, serve
from everpost.node.cli.output import show
from everpost.node.settings.read import BadSettings

app = typer.Typer(
    name="everpost",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Everpost: a mail cluster of equal nodes.\n\nA first look: [bold]everpost demo[/bold]. "
    "A real node: [bold]everpost init DIR[/bold], then [bold]everpost serve[/bold].\n\n"
    "Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 3 faults in the settings or found by check, "
    "4 try again later.",
)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate)
app.add_typer(domain.app, name="domain")
app.add_typer(account.app, name="account")
app.add_typer(address.app, name="address")
app.add_typer(password.app, name="password")
app.add_typer(queue.app, name="queue")


@app.command()
def version(json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """Print the version."""
    show({"version": __version__}, json=json, plain=f"everpost {__version__}")


def main() -> None:
    """Run a command; errors become one line and an exit code."""
    # Until `serve` or `demo` say otherwise. Never on standard output, which is for answers (--json).
    logging.configure("console", "warning", "cli")
    try:
        app()
    except BadSettings as error:
        _fail(error, 3)
    except (TryLater, Broken) as error:
        _fail(error, 4)
    except EverpostError as error:
        _fail(error, 1)


def _fail(error: EverpostError, code: int) -> None:
    print(f"everpost: {error.text}", file=sys.stderr)
    if error.__cause__ is not None:
        print(f"          because of: {error.__cause__}", file=sys.stderr)
    sys.exit(code)
