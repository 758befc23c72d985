"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one root, the account, with its bytes."""

from typing import TYPE_CHECKING

from everpost.access.imap.outcome import Outcome, no, ok
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import MAX_63, Reader

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (9208,)

ROOT = b""
# RFC 9208 section 5.1
UNIT = 1024


async def get(session: "Session", command: Command) -> Outcome:
    """Tell what the account holds and may hold."""
    reader = Reader.of(command)
    root = reader.astring("a quota root")
    reader.end()
    if root != ROOT or not await _tell(session):
        return no("There is no such quota root", b"NONEXISTENT")
    return ok("GETQUOTA completed")


async def get_root(session: "Session", command: Command) -> Outcome:
    """Tell which roots a mailbox has, and of each what GETQUOTA tells."""
    reader = Reader.of(command)
    name = mailbox(reader, utf8=session.utf8)
    reader.end()
    mail = session.need_mail()
    folder = await mail.status(name)
    limited = (await mail.usage()).quota > 0
    roots = (response.string(ROOT),) if limited else ()
    session.untagged(b"QUOTAROOT", response.mailbox(folder.name, utf8=session.utf8), *roots)
    if limited:
        await _tell(session)
    return ok("GETQUOTAROOT completed")


async def set_limits(_session: "Session", command: Command) -> Outcome:
    """Only the operator sets limits (QUOTASET is not offered)."""
    reader = Reader.of(command)
    reader.astring("a quota root")
    reader.space()
    for _ in reader.items():
        reader.atom("a resource")
        reader.space()
        reader.number(MAX_63, "a limit")
    reader.end()
    return no("Limits are set by the operator", b"NOPERM")


async def _tell(session: "Session") -> bool:
    """False if there is no limit."""
    usage = await session.need_mail().usage()
    if not usage.quota:
        return False
    # Rounded so that a client sees the account full when nothing fits in any more.
    used, limit = -(-usage.bytes // UNIT), usage.quota // UNIT
    session.untagged(b"QUOTA", response.string(ROOT), b"(STORAGE %d %d)" % (used, limit))
    return True
