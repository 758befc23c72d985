"""AUTHENTICATE (RFC 9051 section 6.2.2, RFC 4959), and what it shares with LOGIN."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, bad, no, ok, refusal
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader
from everpost.core.errors import Refused, TryLater
from everpost.net.connection import ConnectionLost

if TYPE_CHECKING:
    from everpost.access.imap.session import Session
    from everpost.accounts.authenticate import AuthSession

RFCS = (9051, 4959, 5530)

SERVICE = "imap"


@dataclass(slots=True)
class Exchange:
    """The lines of one AUTHENTICATE; implements session.Waiting."""

    session: "Session"
    command: Command
    auth: "AuthSession"

    async def line(self, data: bytes) -> Outcome | None:
        """A response of the client."""
        if data == b"*":
            return bad("Cancelled")
        try:
            response = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return bad("That was not base64")
        return await self.step(response)

    async def step(self, response: bytes | None) -> Outcome | None:
        """Go one step on: ask for more, or come to an end."""

        async def check() -> Outcome | None:
            answer = await self.auth.step(response)
            if isinstance(answer, bytes):
                self.session.ask(base64.b64encode(answer))
                return None
            await self.session.log_in(answer)
            return welcome(self.session)

        return await attempt(self.session, check)

    async def woken(self) -> None:
        """Nothing changes before login."""

    def ended(self) -> None:
        """Nothing is held."""


async def run(session: "Session", command: Command) -> Outcome | None:
    """Begin an exchange."""
    reader = Reader.of(command)
    mechanism = reader.word("a mechanism")
    initial = None
    if reader.skip(b" "):
        text = reader.text[reader.place :]
        try:
            # RFC 4959 section 3: "=" is an empty response.
            initial = b"" if text == b"=" else base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            reader.fail("base64")
    else:
        reader.end()
    if mechanism not in session.mechanisms:
        if not session.is_private:
            return no("This needs TLS here: use STARTTLS first", b"PRIVACYREQUIRED")
        return no("There is no such mechanism here", b"CANNOT")
    auth = session.authenticator.session(mechanism, session.connection.peer.host, SERVICE, session.channel_binding)
    exchange = Exchange(session, command, auth)
    outcome = await exchange.step(initial)
    if outcome is None:
        session.waiting = exchange
    return outcome


def welcome(session: "Session") -> Outcome:
    """The client is logged in, and learns what it can do now."""
    return ok("Logged in", session.capability_code())


async def attempt(session: "Session", check: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
    """Say how a login failed, if it did; the same words for a wrong name and a wrong password."""
    try:
        return await check()
    except ConnectionLost:
        raise
    except Refused as error:
        outcome = no(refusal(error).text, b"AUTHENTICATIONFAILED")
    except TryLater as error:
        outcome = refusal(error)
    session.failures += 1
    if session.failures >= session.settings.max_failures:
        session.bye("Too many failed logins")
    return outcome
