"""`everpost init`: a settings file, folders, a certificate, the first domain and account of a real node."""

import asyncio
import os
import pwd
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from everpost.accounts import passwords
from everpost.core.address import Address, BadAddress, domain_to_ascii
from everpost.core.errors import Refused
from everpost.net.tls import self_signed
from everpost.node.cli.context import JsonOption, tools
from everpost.node.cli.output import show
from everpost.node.settings.model import HostPort, ListenSection
from everpost.node.settings.read import load, parse
from everpost.node.settings.render import commented


@dataclass(frozen=True, slots=True)
class Answers:
    """What the operator has said."""

    folder: Path
    hostname: str
    domain: str
    admin: Address
    password: str
    database: str
    certificate: Path
    key: Path
    user: str
    base_port: int
    data_dir: Path
    run_dir: Path

    @property
    def settings_file(self) -> Path:
        return self.folder / "everpost.toml"

    @property
    def own_certificate(self) -> bool:
        """The certificate is one that the operator has."""
        return self.certificate.parent != self.folder / "tls"


def init(
    folder: Path = typer.Argument(help="Where settings, data and certificate are to lie.", metavar="DIR"),
    hostname: str = typer.Option("", help="The node's public name, such as mail.example.org."),
    domain: str = typer.Option("", help="The first domain it hosts, such as example.org."),
    admin: str = typer.Option("", help="The address of the first account; it gets mail for postmaster too."),
    stdin: bool = typer.Option(False, "--stdin", help="Read that account's password from standard input."),
    database: str = typer.Option("", help="A PostgreSQL URL; SQLite in DIR if not given."),
    certificate: Path | None = typer.Option(None, help="Certificate with its chain, PEM; else one is self-signed."),
    key: Path | None = typer.Option(None, help="Its key, PEM."),
    user: str = typer.Option("", help="The user the node is to run as, when root starts it."),
    data_dir: Path | None = typer.Option(None, help="Where mail is kept; DIR/data if not given."),
    run_dir: Path | None = typer.Option(None, help="Where sockets of the running node lie; DIR/run if not given."),
    base_port: int = typer.Option(0, min=0, max=60_000, help="Added to every port, for a try without root."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Ask nothing; take what can be guessed."),
    json: JsonOption = False,
) -> None:
    """Begin a real node: settings file, folders, certificate, first domain and account.

    [bold]everpost init /srv/everpost --hostname mail.example.org --domain example.org --yes[/bold]
    """
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key belong together")
    folder = folder.absolute()
    if (folder / "everpost.toml").exists():
        raise Refused(f"{folder / 'everpost.toml'} is there already; it is left alone")
    hostname = _ask("The node's public name", hostname, socket.getfqdn(), yes=yes)
    domain = _ask("The first domain it hosts", domain, hostname.partition(".")[2], yes=yes)
    admin = _ask("The first account", admin, f"postmaster@{domain}", yes=yes)
    given = sys.stdin.readline().rstrip("\n") if stdin else ""
    answers = Answers(
        folder,
        _name("host", hostname),
        _name("domain", domain),
        Address.parse(admin),
        given or passwords.generate(),
        database,
        (certificate or folder / "tls" / "cert.pem").absolute(),
        (key or folder / "tls" / "key.pem").absolute(),
        user,
        base_port,
        (data_dir or folder / "data").absolute(),
        (run_dir or folder / "run").absolute(),
    )
    if answers.admin.ascii_domain != answers.domain:
        raise Refused(f"the first account is in the first domain: somebody@{domain}")
    make(answers)
    result: dict[str, object] = {
        "settings": str(answers.settings_file),
        "account": str(answers.admin),
        "certificate": str(answers.certificate),
        "self_signed": not answers.own_certificate,
        "records": records(answers),
    }
    if not given:
        result["password"] = answers.password
    show(result, json=json, plain=_report(answers, shown="" if given else answers.password))


def _ask(question: str, given: str, guess: str, *, yes: bool) -> str:
    if given:
        return given
    if yes or not sys.stdin.isatty():
        if "." in guess:
            return guess
        raise typer.BadParameter(f"cannot be guessed here; give it as an option: {question.lower()}")
    answer: str = typer.prompt(question, default=guess)
    return answer


def _name(kind: str, text: str) -> str:
    try:
        name = domain_to_ascii(text)
    except BadAddress as error:
        raise Refused(f"{text!r} is no {kind} name") from error
    if "." not in name:
        raise Refused(f"{text!r} is no complete {kind} name, such as example.org")
    return name


def make(answers: Answers) -> None:
    """Write and fill everything. Raises Refused, BadSettings, StoreUnavailable; OSError becomes Refused."""
    try:
        _write_files(answers)
        asyncio.run(_fill(answers))
        if answers.user and os.geteuid() == 0:
            _give((answers.folder, answers.data_dir, answers.run_dir), answers.user)
    except OSError as error:
        raise Refused(f"cannot write to {answers.folder}: {error.strerror}") from error


def _write_files(answers: Answers) -> None:
    text = settings_text(answers)
    parse(text, str(answers.settings_file))
    for folder in (answers.folder, answers.data_dir, answers.run_dir):
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    if not answers.own_certificate and not answers.certificate.exists():
        answers.certificate.parent.mkdir(exist_ok=True, mode=0o750)
        pems = self_signed([answers.hostname, answers.domain, "localhost"], time.time())
        answers.certificate.write_bytes(pems[0])
        answers.key.touch(mode=0o600)
        answers.key.write_bytes(pems[1])
    # A database URL may have a password in it.
    answers.settings_file.touch(mode=0o640)
    answers.settings_file.write_text(text)


def settings_text(answers: Answers) -> str:
    """The commented settings file."""
    values: dict[str, dict[str, object]] = {
        "node": {
            "hostname": answers.hostname,
            "data_dir": answers.data_dir,
            "run_dir": answers.run_dir,
        },
        "tls": {"certificate": answers.certificate, "key": answers.key},
    }
    if answers.user:
        values["node"]["user"] = answers.user
    if answers.database:
        values["storage"] = {"database": answers.database}
    if answers.base_port:
        values["listen"] = {
            name: tuple(
                HostPort(place.host, place.port + answers.base_port) for place in getattr(ListenSection(), name)
            )
            for name in ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "http")
        }
    return commented(values)


async def _fill(answers: Answers) -> None:
    async with tools(load(answers.settings_file)) as opened:
        await opened.directory.add_domain(answers.domain)
        await opened.directory.add_account(answers.admin, answers.password)


def _give(folders: Sequence[Path], user: str) -> None:
    """Raises Refused if there is no such user."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise Refused(f"this machine has no user {user}; make it with: useradd --system {user}") from error
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid)


def records(answers: Answers) -> list[str]:
    """What the DNS must say, as lines of a zone file."""
    return [
        f"{answers.hostname}. A <this machine's IPv4 address>",
        f"{answers.hostname}. AAAA <this machine's IPv6 address>",
        f"{answers.domain}. MX 10 {answers.hostname}.",
        f'{answers.domain}. TXT "v=spf1 mx -all"',
        f"_imaps._tcp.{answers.domain}. SRV 0 1 993 {answers.hostname}.",
        f"_submissions._tcp.{answers.domain}. SRV 0 1 465 {answers.hostname}.",
    ]


def _report(answers: Answers, shown: str) -> str:
    lines = [f"Settings:     {answers.settings_file}", f"Account:      {answers.admin}"]
    if shown:
        lines.append(f"Password:     {shown}")
    lines.append(f"Certificate:  {answers.certificate}")
    if not answers.own_certificate:
        lines += [
            "              self-signed: mail programs will warn until you put a trusted one in its place",
            "              (the same two files, then: kill -HUP the supervisor)",
        ]
    lines += [
        "",
        "DNS records to set:",
        *(f"  {record}" for record in records(answers)),
        f"  and have the PTR records of its addresses say {answers.hostname}",
        "",
        "Next:",
        f"  everpost check --settings {answers.settings_file}",
        f"  everpost serve --settings {answers.settings_file}",
        f"  everpost account add somebody@{answers.domain} --settings {answers.settings_file}",
    ]
    return "\n".join(lines)
