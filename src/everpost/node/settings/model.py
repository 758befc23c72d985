"""Every key of the settings file: its section, type, default and what it means.

The field's type says how its value is read; `doc` is what the commented file and docs/settings.md say.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

ROLES = ("mx", "submission", "outbound", "imap", "pop3", "web", "jobs")

Seconds = NewType("Seconds", float)
Size = NewType("Size", int)
"""Bytes; in the file also as text: "50 MiB"."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where to listen, or whom to ask."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """One more certificate, chosen by the name a client asks for."""

    certificate: Path
    key: Path


def setting(doc: str, default: Any = dataclasses.MISSING, *, example: str = "") -> Any:
    """A field of a section; without a default the key must be given."""
    return dataclasses.field(default=default, metadata={"doc": doc, "example": example})


@dataclass(frozen=True, slots=True)
class NodeSection:
    """The node itself."""

    hostname: str = setting(
        "The node's public name: its greeting, and who signs its notices.", example="mx1.example.org"
    )
    name: str = setting("The node's name inside the cluster; the hostname if empty.", "")
    roles: tuple[str, ...] = setting("What this node does: any of " + ", ".join(ROLES) + ".", ROLES)
    workers: int = setting("Worker processes; 0 for one per core.", 0)
    user: str = setting(
        "The user that the node runs as when it is started by root; ports below 1024 stay possible. Empty: whoever "
        "starts it.",
        "",
        example="everpost",
    )
    group: str = setting("Its group; the user's own if empty.", "")
    data_dir: Path = setting("Where the embedded database and blobs lie.", Path("/var/lib/everpost"))
    run_dir: Path = setting("Where sockets and metrics of the running node lie.", Path("/run/everpost"))


@dataclass(frozen=True, slots=True)
class StorageSection:
    """Where mail and the directory are kept."""

    database: str = setting(
        "sqlite:///absolute/path or postgresql://user:password@host:port/name; empty for SQLite in data_dir.", ""
    )
    blobs: str = setting("file:///absolute/folder or s3://bucket?endpoint=...; empty for files in data_dir.", "")
    inline: Size = setting("Stored bodies up to this size lie in the database.", Size(64 * 1024))


@dataclass(frozen=True, slots=True)
class ListenSection:
    """Addresses and ports, each as "address:port"; an empty list switches a service off."""

    smtp: tuple[HostPort, ...] = setting("Mail from other servers.", (HostPort("0.0.0.0", 25), HostPort("::", 25)))
    submission: tuple[HostPort, ...] = setting(
        "Mail from users, STARTTLS.", (HostPort("0.0.0.0", 587), HostPort("::", 587))
    )
    submissions: tuple[HostPort, ...] = setting(
        "Mail from users, TLS.", (HostPort("0.0.0.0", 465), HostPort("::", 465))
    )
    imap: tuple[HostPort, ...] = setting("IMAP, STARTTLS.", (HostPort("0.0.0.0", 143), HostPort("::", 143)))
    imaps: tuple[HostPort, ...] = setting("IMAP, TLS.", (HostPort("0.0.0.0", 993), HostPort("::", 993)))
    pop3: tuple[HostPort, ...] = setting("POP3, STARTTLS.", (HostPort("0.0.0.0", 110), HostPort("::", 110)))
    pop3s: tuple[HostPort, ...] = setting("POP3, TLS.", (HostPort("0.0.0.0", 995), HostPort("::", 995)))
    http: tuple[HostPort, ...] = setting("Health and metrics, plain.", (HostPort("127.0.0.1", 8080),))
    https: tuple[HostPort, ...] = setting("The same, TLS.", ())
    proxies: tuple[str, ...] = setting(
        "Networks of load balancers; if there are any, every connection to the mail ports must come from them and "
        "begin with a PROXY header.",
        (),
        example="10.0.0.0/24",
    )


@dataclass(frozen=True, slots=True)
class TlsSection:
    """The node's certificates; read again on SIGHUP."""

    certificate: Path = setting("Certificate with its chain, PEM.", example="/etc/everpost/cert.pem")
    key: Path = setting("Its key, PEM.", example="/etc/everpost/key.pem")
    more: tuple[CertificatePair, ...] = setting(
        "More certificates, chosen by name: a list of tables with certificate and key.", ()
    )


@dataclass(frozen=True, slots=True)
class DnsSection:
    """Whom to ask for names."""

    servers: tuple[HostPort, ...] = setting("Recursive servers; empty for those of /etc/resolv.conf.", ())
    timeout: Seconds = setting("For one question.", Seconds(3.0))


@dataclass(frozen=True, slots=True)
class LimitsSection:
    """What one client may cost."""

    message: Size = setting("The largest message.", Size(50 * 1024 * 1024))
    recipients: int = setting("Recipients of one message.", 100)
    messages: int = setting("Messages in one SMTP session.", 1_000)
    errors: int = setting("Refused commands in one SMTP session.", 20)
    connections: int = setting("Connections to one service, per worker.", 10_000)
    connections_per_address: int = setting("The same for one client; IPv6 counts by /64.", 100)
    silence: Seconds = setting("How long an SMTP client may say nothing.", Seconds(300.0))
    content: Seconds = setting("How long one message's bytes may take to come.", Seconds(1800.0))
    session: Seconds = setting("After this no new message is begun in an SMTP session.", Seconds(7200.0))
    idle: Seconds = setting("How long an IMAP client may say nothing.", Seconds(1800.0))
    incoming: Size = setting("Messages being received, all together, per worker.", Size(512 * 1024 * 1024))
    messages_per_hour: int = setting(
        "What one account may submit, half of it at once; each worker counts for itself.", 500
    )
    recipients_per_hour: int = setting("To how many recipients, likewise.", 2_000)
    quota: Size = setting("Quota of new accounts that name none; 0 for no limit.", Size(0))


@dataclass(frozen=True, slots=True)
class QueueSection:
    """Mail to other servers."""

    retry: tuple[Seconds, ...] = setting(
        "Pauses before the second attempt, the third and so on; the last one repeats.",
        tuple(Seconds(minutes * 60.0) for minutes in (1, 5, 15, 30, 60, 120, 240)),
    )
    lifetime: Seconds = setting("How long delivery is tried.", Seconds(5 * 24 * 3600.0))
    warn_after: Seconds = setting("When the sender is told of a delay.", Seconds(4 * 3600.0))
    sessions: int = setting("Sessions with other servers at a time, per worker.", 50)
    sessions_per_destination: int = setting("The same for one domain.", 5)
    port: int = setting("The port other servers listen on; other than 25 only for tests.", 25)
    routes: tuple[str, ...] = setting(
        'Hosts in place of a domain\'s MX: "domain host:port", with * for all domains.',
        (),
        example="* smtp.example.net:25",
    )


@dataclass(frozen=True, slots=True)
class LoginSection:
    """Who may log in how."""

    plaintext_on_loopback: bool = setting(
        "Allow passwords without TLS from this machine itself. For demos and load tests only.", False
    )


@dataclass(frozen=True, slots=True)
class LogSection:
    """What the node tells."""

    format: str = setting("json or console.", "json")
    level: str = setting("debug, info, warning or error.", "info")
    addresses: bool = setting("Whether mail addresses may stand in the log.", False)


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole file."""

    node: NodeSection
    tls: TlsSection
    storage: StorageSection = StorageSection()
    listen: ListenSection = ListenSection()
    dns: DnsSection = DnsSection()
    limits: LimitsSection = LimitsSection()
    queue: QueueSection = QueueSection()
    login: LoginSection = LoginSection()
    log: LogSection = LogSection()

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.storage.database or f"sqlite://{self.node.data_dir / 'everpost.db'}"

    @property
    def blobs_url(self) -> str:
        """Where the blobs are."""
        return self.storage.blobs or f"file://{self.node.data_dir / 'blobs'}"

    @property
    def node_name(self) -> str:
        """The node's name inside the cluster."""
        return self.node.name or self.node.hostname


SECTIONS: dict[str, type] = {
    "node": NodeSection,
    "tls": TlsSection,
    "storage": StorageSection,
    "listen": ListenSection,
    "dns": DnsSection,
    "limits": LimitsSection,
    "queue": QueueSection,
    "login": LoginSection,
    "log": LogSection,
}
