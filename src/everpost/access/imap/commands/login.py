"""LOGIN (RFC 9051 section 6.2.3)."""

from typing import TYPE_CHECKING

from everpost.access.imap.commands.authenticate import SERVICE, attempt, welcome
from everpost.access.imap.outcome import Outcome, no
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.tokens import Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session


async def run(session: "Session", command: Command) -> Outcome | None:
    """Take a name and a password."""
    if not session.may_login:
        # RFC 5530 section 3
        return no("Passwords need TLS here: use STARTTLS first", b"PRIVACYREQUIRED")
    reader = Reader.of(command)
    user = reader.astring("a user name")
    reader.space()
    password = reader.astring("a password")
    reader.end()

    async def check() -> Outcome:
        # Bytes that are no UTF-8 are no one's name or password.
        account = await session.authenticator.login(
            user.decode("utf-8", "replace"), password.decode("utf-8", "replace"), session.connection.peer.host, SERVICE
        )
        await session.log_in(account)
        return welcome(session)

    return await attempt(session, check)
