"""Everything a worker is made of, joined in one place."""

import ipaddress
import random
from dataclasses import dataclass
from pathlib import Path

from everpost.accounts.authenticate import Authenticator, AuthSettings
from everpost.accounts.directory import Directory
from everpost.core.clock import Clock, SystemClock
from everpost.core.resolver import Resolver
from everpost.delivery.accept import Acceptor
from everpost.delivery.bounces import Bounces
from everpost.delivery.queue.claim import Claims
from everpost.delivery.queue.retry import Schedule
from everpost.delivery.queue.runner import Limits, Runner
from everpost.delivery.queue.settle import Settler
from everpost.delivery.remote.destination import Destinations, Hop
from everpost.delivery.remote.send import Courier
from everpost.delivery.routing import Router
from everpost.mailbox.account import Mailboxes
from everpost.mailbox.content import Contents
from everpost.mailbox.deliver import Deliverer
from everpost.net.dnswire import Nameserver
from everpost.net.resolver import DnsResolver, system_nameservers
from everpost.net.tls import Certificates, client_context
from everpost.node.certificates import certificates_of
from everpost.node.settings.model import Settings
from everpost.node.settings.read import host_port
from everpost.store.blobs.open import open_blobs
from everpost.store.blobs.ports import BlobStore
from everpost.store.feed import Feed
from everpost.store.leases import Leases
from everpost.store.open import open_database
from everpost.store.ports import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services of a worker share."""

    settings: Settings
    clock: Clock
    chance: random.Random
    worker: str
    """Unique for this run of this worker."""
    database: Database
    blobs: BlobStore
    feed: Feed
    leases: Leases
    resolver: Resolver
    certificates: Certificates
    directory: Directory
    contents: Contents
    deliverer: Deliverer
    mailboxes: Mailboxes
    router: Router
    bounces: Bounces
    acceptor: Acceptor
    authenticator: Authenticator
    schedule: Schedule

    async def close(self) -> None:
        """Let go of what is open; services must have stopped."""
        self.authenticator.close()
        self.feed.stop()
        await self.database.close()
        await self.blobs.close()


async def build(settings: Settings, name: str, feed_folder: Path | None = None) -> Parts:
    """Open the stores and make everything. `name` is the worker's on its node, `feed_folder` where workers meet.

    Raises StoreUnavailable, BadCertificate.
    """
    clock = SystemClock()
    chance = random.SystemRandom()
    worker = f"{settings.node_name}/{name}/{chance.getrandbits(64):016x}"
    certificates = certificates_of(settings)
    database = await open_database(settings.database_url)
    blobs = open_blobs(settings.blobs_url)
    feed = Feed(feed_folder, name)
    feed.start()
    directory = Directory(database, feed, clock)
    contents = Contents(blobs, clock, settings.storage.inline)
    deliverer = Deliverer(database, feed, clock)
    schedule = Schedule(
        intervals=settings.queue.retry, lifetime=settings.queue.lifetime, warn_after=settings.queue.warn_after
    )
    router = Router(directory, settings.node.hostname)
    bounces = Bounces(router, contents, clock, chance, settings.node.hostname, schedule)
    return Parts(
        settings=settings,
        clock=clock,
        chance=chance,
        worker=worker,
        database=database,
        blobs=blobs,
        feed=feed,
        leases=Leases(database, clock, worker),
        resolver=resolver_of(settings, clock),
        certificates=certificates,
        directory=directory,
        contents=contents,
        deliverer=deliverer,
        mailboxes=Mailboxes(database, contents, feed, clock, chance),
        router=router,
        bounces=bounces,
        acceptor=Acceptor(database, contents, deliverer, bounces, feed, clock, chance, schedule),
        authenticator=Authenticator(
            directory, clock, chance=chance, settings=AuthSettings(without_tls=settings.login.plaintext_on_loopback)
        ),
        schedule=schedule,
    )


def resolver_of(settings: Settings, clock: Clock) -> DnsResolver:
    """The node's way to the DNS."""
    servers = [Nameserver(server.host, server.port) for server in settings.dns.servers] or system_nameservers()
    return DnsResolver(servers, clock, settings.dns.timeout)


def runner_of(parts: Parts) -> Runner:
    """What works through the queue."""
    settings = parts.settings
    # A stranger's MX may name this host's loopback; only a fake internet uses another port and lives there.
    own = (*_LOOPBACK, *(ipaddress.ip_network(each.host) for each in settings.listen.smtp if not _is_any(each.host)))
    destinations = Destinations(
        parts.resolver,
        parts.chance,
        port=settings.queue.port,
        own_names=frozenset({settings.node.hostname}),
        own_networks=() if settings.queue.port != 25 else own,
        routes=routes_of(settings),
    )
    return Runner(
        parts.database,
        parts.contents,
        parts.feed,
        parts.clock,
        Claims(parts.database, parts.clock, parts.worker),
        Courier(destinations, settings.node.hostname, client_context(verify=False)),
        Settler(
            parts.database,
            parts.contents,
            parts.deliverer,
            parts.feed,
            parts.clock,
            parts.chance,
            parts.bounces,
            parts.schedule,
        ),
        Limits(sessions=settings.queue.sessions, sessions_per_destination=settings.queue.sessions_per_destination),
    )


_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def routes_of(settings: Settings) -> dict[str, tuple[Hop, ...]]:
    """Smart hosts by domain."""
    routes: dict[str, tuple[Hop, ...]] = {}
    for line in settings.queue.routes:
        domain, place = line.split()
        hop = host_port(place, default_port=25)
        routes[domain] = (*routes.get(domain, ()), Hop(hop.host, hop.port))
    return routes
