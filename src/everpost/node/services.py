"""What a worker serves: each service is listeners, a handler, and how its sessions are told to end."""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from everpost.access.imap.session import Session as ImapSession
from everpost.access.imap.settings import ImapSettings
from everpost.access.imap.wire.machine import ImapMachine
from everpost.access.pop3.door import Pop3Door
from everpost.access.pop3.serve import serve as serve_pop3
from everpost.access.pop3.wire.server import Pop3Config
from everpost.delivery.intake.door import Door, Memory, Policy, SessionLimits
from everpost.delivery.intake.mx import MxPolicy
from everpost.delivery.intake.rate import Allowance, MemoryLimiter, RateLimits
from everpost.delivery.intake.room import Room
from everpost.delivery.intake.serve import serve as serve_smtp
from everpost.delivery.intake.submission import SubmissionPolicy
from everpost.delivery.intake.trace import Dates
from everpost.net.connection import Connection
from everpost.net.drive import drive
from everpost.net.listen import Limits, Listener, Server
from everpost.node.parts import Parts
from everpost.node.places import usable
from everpost.node.settings.model import HostPort
from everpost.smtp.wire.server import ServerConfig

GOODBYE = "the server is closing"


@dataclass(slots=True)
class Service:
    """A server with its listeners; `close` tells its sessions to end as soon as they can."""

    server: Server
    listeners: Sequence[Listener]
    close: Callable[[], None]


def services_of(parts: Parts) -> list[Service]:
    """The services of this node's roles."""
    listen = parts.settings.listen
    roles = parts.settings.node.roles
    services: list[Service] = []
    memory = Memory(parts.settings.limits.incoming)
    room = Room(parts.database, parts.clock)
    if "mx" in roles:
        door = _door(parts, "mx", MxPolicy(parts.router, room), memory, login=False)
        services.append(_smtp(parts, door, _listeners(parts, listen.smtp)))
    if "submission" in roles:
        door = _door(parts, "submission", _submission(parts, room), memory, login=True)
        implicit = _listeners(parts, listen.submissions, parts.certificates.context)
        services.append(_smtp(parts, door, [*_listeners(parts, listen.submission), *implicit]))
    if "imap" in roles:
        implicit = _listeners(parts, listen.imaps, parts.certificates.context)
        services.append(_imap(parts, [*_listeners(parts, listen.imap), *implicit]))
    if "pop3" in roles:
        implicit = _listeners(parts, listen.pop3s, parts.certificates.context)
        services.append(_pop3(parts, [*_listeners(parts, listen.pop3), *implicit]))
    return [service for service in services if service.listeners]


def _listeners(parts: Parts, places: Sequence[HostPort], tls: ssl.SSLContext | None = None) -> list[Listener]:
    proxies = tuple(ipaddress.ip_network(network) for network in parts.settings.listen.proxies)
    return [Listener(place.host, place.port, tls, proxies) for place in usable(places)]


def _server(parts: Parts, name: str, handler: Callable[[Connection], Awaitable[None]], reject: bytes) -> Server:
    limits = parts.settings.limits
    return Server(
        handler,
        Limits(limits.connections, limits.connections_per_address),
        reject,
        name,
    )


def _door(parts: Parts, name: str, policy: Policy, memory: Memory, *, login: bool) -> Door:
    limits = parts.settings.limits
    return Door(
        name=name,
        config=ServerConfig(
            parts.settings.node.hostname,
            max_size=limits.message,
            max_recipients=limits.recipients,
            max_messages=limits.messages,
            max_errors=limits.errors,
            tls_available=True,
        ),
        policy=policy,
        acceptor=parts.acceptor,
        clock=parts.clock,
        chance=parts.chance,
        dates=Dates(parts.clock),
        certificates=parts.certificates,
        authenticator=parts.authenticator if login else None,
        limits=SessionLimits(limits.silence, limits.content, limits.session),
        memory=memory,
        addresses_in_log=parts.settings.log.addresses,
    )


def _submission(parts: Parts, room: Room) -> SubmissionPolicy:
    limits = parts.settings.limits
    rates = RateLimits(
        Allowance(limits.messages_per_hour / 2, limits.messages_per_hour),
        Allowance(limits.recipients_per_hour / 2, limits.recipients_per_hour),
    )
    return SubmissionPolicy(
        parts.directory,
        parts.router,
        room,
        MemoryLimiter(rates, parts.clock),
        Dates(parts.clock),
        parts.settings.node.hostname,
        parts.clock,
        parts.chance,
    )


def _smtp(parts: Parts, door: Door, listeners: Sequence[Listener]) -> Service:
    async def handle(connection: Connection) -> None:
        await serve_smtp(door, connection)

    hostname = parts.settings.node.hostname
    reject = f"421 4.7.0 {hostname} too many connections, try again later\r\n".encode()
    return Service(_server(parts, door.name, handle, reject), listeners, door.close)


def _imap(parts: Parts, listeners: Sequence[Listener]) -> Service:
    sessions: set[ImapSession] = set()
    settings = ImapSettings(
        hostname=parts.settings.node.hostname,
        allow_plaintext=parts.settings.login.plaintext_on_loopback,
        max_literal=parts.settings.limits.message,
        idle_timeout=parts.settings.limits.idle,
    )

    async def handle(connection: Connection) -> None:
        machine = ImapMachine()
        session = ImapSession(
            connection,
            machine,
            mailboxes=parts.mailboxes,
            authenticator=parts.authenticator,
            certificates=parts.certificates,
            settings=settings,
            clock=parts.clock,
        )
        sessions.add(session)
        try:
            await drive(connection, machine, session)
        finally:
            sessions.discard(session)

    def close() -> None:
        for session in tuple(sessions):
            session.shut_down(GOODBYE)

    reject = b"* BYE too many connections, try again later\r\n"
    return Service(_server(parts, "imap", handle, reject), listeners, close)


def _pop3(parts: Parts, listeners: Sequence[Listener]) -> Service:
    door = Pop3Door(
        Pop3Config(parts.settings.node.hostname, tls_available=True),
        parts.authenticator,
        parts.mailboxes,
        parts.leases,
        parts.clock,
        parts.certificates,
    )

    async def handle(connection: Connection) -> None:
        await serve_pop3(connection, door)

    reject = b"-ERR [SYS/TEMP] too many connections, try again later\r\n"
    return Service(_server(parts, "pop3", handle, reject), listeners, door.close)
