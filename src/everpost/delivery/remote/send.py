"""One attempt to send a group of entries: host after host until one has answered for every recipient."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everpost.core.errors import EverpostError, Refused
from everpost.core.log import logger
from everpost.core.metrics import counter
from everpost.delivery.remote import letter
from everpost.delivery.remote.destination import Destination, Destinations, Host
from everpost.delivery.remote.outcome import Outcome, Result, classify, failed, later, status_for
from everpost.net.connect import connect
from everpost.net.connection import Connection, ConnectionLost
from everpost.smtp.client import CannotCarry, Interrupted, Outgoing, SendResult, SmtpClient
from everpost.smtp.wire.client import BadReply
from everpost.store.sql.queue import QueueRow

RFCS = (3207, 5321, 7435)

log = logger("delivery")

SESSIONS = counter("delivery", "sessions_out_total", "Sessions with hosts elsewhere", ("tls",))

# RFC 5321 section 5.1: "at least two addresses".
MAX_TRIES = 5
CONNECT_SECONDS = 30.0
# However slow the hosts are, one attempt ends.
ATTEMPT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Courier:
    """Implements `queue.runner.Transport` by SMTP.

    TLS is opportunistic (RFC 7435): used where offered, the certificate not verified, and plain text where the
    handshake fails; the outcome says which it was. MTA-STS and DANE will decide per host here whether plain text
    is allowed and what certificate counts; pools will hand in the source address, shaping the hosts to leave
    alone for now. All of these come in the issue about outgoing mail.
    """

    destinations: Destinations
    hostname: str
    """Our name in EHLO."""
    tls: ssl.SSLContext
    connect_seconds: float = CONNECT_SECONDS

    async def send(self, rows: Sequence[QueueRow], raw: bytes) -> Mapping[int, Outcome]:
        """One attempt for entries that can travel together; an outcome for each queue id."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._send(rows, raw)
        except TimeoutError:
            outcome = later("the attempt took too long", "4.4.7")
        except Refused as error:
            outcome = failed(error.text, error.status)
        except EverpostError as error:
            outcome = later(error.text, error.status)
        return {row.queue_id: outcome for row in rows}

    async def _send(self, rows: Sequence[QueueRow], raw: bytes) -> Mapping[int, Outcome]:
        """Raises Refused where the DNS says that it can never work, TryLater where it says nothing."""
        message = letter.write(rows, raw)
        destination = await self.destinations.find(rows[0].destination)
        outcomes = await self._try_hosts(destination, message)
        return {row.queue_id: outcome for row, outcome in zip(rows, outcomes, strict=True)}

    async def _try_hosts(self, destination: Destination, message: Outgoing) -> list[Outcome]:
        everybody = len(message.recipients)
        last = later("no host could be reached")
        tries = 0
        async for host, address in self.destinations.candidates(destination):
            tries += 1
            where = f"{host.name} [{address}]"
            try:
                return await self._deliver(host, address, message)
            except CannotCarry as error:
                return [failed(error.text, error.status, where)] * everybody
            except Interrupted as error:
                last = later(error.text, error.status, where)
                if error.outcome_unknown:
                    # RFC 1047: it may be there already; asking another host at once would make two of it.
                    break
            except (ConnectionLost, BadReply) as error:
                last = later(error.text, "4.4.2", where)
            except EverpostError as error:
                # No connection, or a host that serves nobody now: the next one may.
                status = error.status if error.status.startswith("4") else "4.4.1"
                last = later(error.text, status, where)
            log.info("host.failed", destination=destination.domain, host=where, reason=last.reply)
            if tries >= MAX_TRIES:
                break
        return [last] * everybody

    async def _deliver(self, host: Host, address: str, message: Outgoing) -> list[Outcome]:
        """A session with one host. Raises TryLater and the like if it answered for nobody."""
        client = await self._session(host, address)
        try:
            result = await client.send(message)
        except EverpostError:
            client.connection.abort()
            raise
        _leave(client.connection)
        tls = client.connection.tls
        used = f"{tls.version} {tls.cipher}" if tls else ""
        SESSIONS.labels(tls.version if tls else "none").inc()
        where = f"{host.name} [{address}]"
        return [
            _outcome(result, place, where, used, dsn="DSN" in client.offers) for place in range(len(message.recipients))
        ]

    async def _session(self, host: Host, address: str) -> SmtpClient:
        """Greeted, under TLS if that is possible."""
        client = await self._open(host, address)
        try:
            await client.start_tls(self.tls, host.name)
        except (ConnectionLost, BadReply) as error:
            client.connection.abort()
            log.info("tls.failed", host=host.name, address=address, reason=error.text, cause=repr(error.__cause__))
            return await self._open(host, address)
        except BaseException:
            client.connection.abort()
            raise
        return client

    async def _open(self, host: Host, address: str) -> SmtpClient:
        connection = await connect([address], host.port, self.connect_seconds)
        client = SmtpClient(connection, self.hostname)
        try:
            await client.open()
        except BaseException:
            connection.abort()
            raise
        return client


def _leave(connection: Connection) -> None:
    """Say QUIT without waiting for the answer: what counts now is to write down what was said before."""
    connection.send(b"QUIT\r\n")
    connection.finish()


def _outcome(result: SendResult, place: int, where: str, tls: str, *, dsn: bool) -> Outcome:
    reply = result.outcome(place)
    verdict = classify(reply.code, reply.status or "")
    if verdict is Result.DELIVERED and result.end is None:
        # RCPT was fine, but the message itself was never asked for.
        return later("the host took no message", "4.5.0", where)
    status = status_for(reply.code, reply.status)
    if verdict is Result.LATER and status.startswith("5"):
        status = "4" + status[1:]
    return Outcome(
        verdict,
        status,
        str(reply),
        where,
        from_peer=True,
        tls=tls,
        relayed=verdict is Result.DELIVERED and not dsn,
    )
