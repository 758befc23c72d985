"""`everpost demo`: a complete node on this machine, with accounts to play with."""

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from everpost.accounts import passwords
from everpost.accounts.administration import Taken
from everpost.accounts.directory import Directory
from everpost.core.address import Address
from everpost.core.clock import SystemClock, milliseconds
from everpost.net.tls import self_signed
from everpost.node import logging
from everpost.node.settings.model import HostPort
from everpost.node.settings.read import load
from everpost.node.settings.render import commented
from everpost.node.supervisor import Supervisor
from everpost.store.feed import Feed
from everpost.store.migrations import migrate
from everpost.store.open import open_database

HOST = "127.0.0.1"
HOSTNAME = "mail.example.test"
DOMAIN = "example.test"
CATCH_ALL_DOMAIN = "catchall.test"

# Service, standard port, how it is protected, what for.
SERVICES = (
    ("smtp", 25, "STARTTLS", "mail from other servers"),
    ("submission", 587, "STARTTLS", "mail from users"),
    ("submissions", 465, "TLS", "mail from users"),
    ("imap", 143, "STARTTLS", "reading"),
    ("imaps", 993, "TLS", "reading"),
    ("pop3", 110, "STARTTLS", "fetching"),
    ("pop3s", 995, "TLS", "fetching"),
    ("http", 80, "plain", "health and metrics"),
    ("https", 443, "TLS", "health and metrics"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo was asked for."""

    base_port: int
    folder: Path
    users: int
    password: str
    password_before: str
    """What the accounts have that are in the folder already; empty if that is not known."""
    database: str
    workers: int


def demo(
    base_port: int = typer.Option(10_000, help="Added to the standard port of each service.", min=0, max=60_000),
    dir_: Path | None = typer.Option(
        None, "--dir", help="Where everything is kept; a temporary folder if not given.", show_default=False
    ),
    users: int = typer.Option(3, help="How many accounts: user0, user1, ...", min=1, max=1_000_000),
    password: str = typer.Option("", help="Their password; made and shown if not given.", show_default=False),
    database: str = typer.Option("", help="A PostgreSQL URL in place of SQLite.", show_default=False),
    workers: int = typer.Option(2, help="Worker processes.", min=1, max=64),
) -> None:
    """Run a complete node on this machine, with a domain and accounts to play with.

    It listens on 127.0.0.1 only, signs its own certificate and allows logging in without TLS.
    Ctrl-C ends it.
    """
    temporary = dir_ is None
    folder = Path(tempfile.mkdtemp(prefix="everpost-demo-")) if dir_ is None else dir_.absolute()
    try:
        before = _password_before(folder)
        plan = Plan(base_port, folder, users, password or before or passwords.generate(), before, database, workers)
        uvloop.run(_run(plan))
    finally:
        if temporary:
            shutil.rmtree(folder, ignore_errors=True)


def _password_before(folder: Path) -> str:
    file = folder / "password"
    return file.read_text() if file.exists() else ""


async def _run(plan: Plan) -> None:
    path = await asyncio.to_thread(_write_settings, plan)
    settings = load(path)
    logging.configure(settings.log.format, settings.log.level, "supervisor")
    await _fill(plan, settings.database_url)
    supervisor = Supervisor(settings, path, patience=0.0)
    ready = asyncio.Event()
    announcing = asyncio.ensure_future(_announce(plan, ready))
    try:
        await supervisor.run(ready)
    finally:
        announcing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await announcing


def _write_settings(plan: Plan) -> Path:
    folder = plan.folder
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    if not certificate.exists():
        pems = self_signed([HOSTNAME, DOMAIN, "localhost"], time.time())
        certificate.write_bytes(pems[0])
        _write_private(key, pems[1].decode())
    listen = {name: (HostPort(HOST, plan.base_port + port),) for name, port, _, _ in SERVICES}
    text = commented(
        {
            "node": {
                "hostname": HOSTNAME,
                "workers": plan.workers,
                "data_dir": folder / "data",
                "run_dir": folder / "run",
            },
            "tls": {"certificate": certificate, "key": key},
            "storage": {"database": plan.database},
            "listen": listen,
            # Load tests come from one address and are one account.
            "limits": {
                "connections_per_address": 5_000,
                "messages": 1_000_000,
                "messages_per_hour": 1_000_000,
                "recipients_per_hour": 10_000_000,
            },
            "login": {"plaintext_on_loopback": True},
            "log": {"format": "console" if sys.stderr.isatty() else "json", "level": "info", "addresses": True},
        }
    )
    _write_private(folder / "everpost.toml", text)
    return folder / "everpost.toml"


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


async def _fill(plan: Plan, database_url: str) -> None:
    """Domains, accounts and examples; what is there already stays."""
    database = await open_database(database_url)
    try:
        await migrate(database)
        directory = Directory(database, Feed(), SystemClock())
        for domain in (DOMAIN, CATCH_ALL_DOMAIN):
            with contextlib.suppress(Taken):
                await directory.add_domain(domain)
        # One slow hash for all, so that thousands of accounts are made in seconds.
        secret = passwords.make(plan.password, milliseconds(time.time()))
        slots = asyncio.Semaphore(100)

        async def add(number: int) -> None:
            async with slots:
                try:
                    await directory.add_account(_user(number), secret, f"User {number}")
                except Taken:
                    if plan.password != plan.password_before:
                        await directory.set_password(_user(number), plan.password)

        await asyncio.gather(*(add(number) for number in range(plan.users)))
        last = plan.users - 1
        await directory.add_address(_at("alias"), [_user(0)])
        await directory.add_address(_at("team"), [_user(0), _user(last)] if last else [_user(0)])
        await directory.add_address(_at("forward"), [Address("someone", "elsewhere.test")])
        await directory.set_catch_all(CATCH_ALL_DOMAIN, [_user(0)])
        _write_private(plan.folder / "password", plan.password)
    finally:
        await database.close()


def _at(local: str) -> Address:
    return Address(local, DOMAIN)


def _user(number: int) -> Address:
    return _at(f"user{number}")


async def _announce(plan: Plan, ready: asyncio.Event) -> None:
    await ready.wait()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    console.print(f"\n[bold]Everpost is ready[/bold] in {plan.folder}, with {plan.workers} workers.\n")
    services = Table("SERVICE", "ADDRESS", "PROTECTION", "FOR", box=None, header_style="bold")
    for name, port, protection, purpose in SERVICES:
        services.add_row(name, f"{HOST}:{plan.base_port + port}", protection, purpose)
    console.print(services)
    last = plan.users - 1
    users = f"user0@{DOMAIN}" + (f" ... user{last}@{DOMAIN}" if last else "")
    people = Table("ADDRESS", "LEADS TO", box=None, header_style="bold")
    people.add_row(users, f"an account each, password [bold]{plan.password}[/bold]")
    people.add_row(f"alias@{DOMAIN}", f"user0@{DOMAIN}")
    people.add_row(f"team@{DOMAIN}", f"user0@{DOMAIN}" + (f" and user{last}@{DOMAIN}" if last else ""))
    people.add_row(f"forward@{DOMAIN}", "someone@elsewhere.test (a domain that does not exist)")
    people.add_row(f"anything@{CATCH_ALL_DOMAIN}", f"user0@{DOMAIN} (catch-all)")
    console.print()
    console.print(people)
    port = plan.base_port
    # As it was started: outside of its virtual environment it is not on the path.
    everpost = sys.argv[0]
    console.print(
        f"""
Try:
  swaks --server {HOST}:{port + 25} --from me@elsewhere.test --to user0@{DOMAIN} --tls
  swaks --server {HOST}:{port + 587} --tls --auth PLAIN --auth-user user0@{DOMAIN} --auth-password {plan.password} \\
    --from user0@{DOMAIN} --to team@{DOMAIN}
  curl -k --ssl-reqd -u user0@{DOMAIN}:{plan.password} 'imap://{HOST}:{port + 143}/INBOX;MAILINDEX=1'
  mutt -e 'set imap_user=user0@{DOMAIN} imap_pass={plan.password} ssl_starttls=no' -f imap://{HOST}:{port + 143}/INBOX
  curl http://{HOST}:{port + 80}/health/ready
  export EVERPOST_SETTINGS={plan.folder / "everpost.toml"}
  {everpost} account list

Ctrl-C ends it.
""",
        soft_wrap=True,
    )
