"""CREATE (RFC 9051 section 6.3.4), also with a special use (RFC 6154 section 3)."""

from typing import TYPE_CHECKING

from everpost.access.imap.folders import list_line, old_name
from everpost.access.imap.outcome import Outcome, no, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar import objects
from everpost.access.imap.wire.grammar.mailboxes import mailbox
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.names import ROLES, SEPARATOR

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (6154, 8457, 8474, 9051)

# Of the others, messages would have to show up in them by themselves.
USES = frozenset(ROLES) - {"\\All", "\\Flagged"}
_SPELLING = {role.lower(): role for role in ROLES}


def _uses(reader: Reader) -> frozenset[str]:
    """The parameter USE (RFC 6154 section 6)."""
    found: set[str] = set()
    if reader.skip(b" "):
        for _ in reader.items(empty=False):
            reader.choice({"USE": True}, "a parameter that this server knows")
            reader.space()
            for _ in reader.items():
                reader.expect(b"\\", "a use such as \\Sent")
                name = "\\" + reader.atom("a use").decode()
                found.add(_SPELLING.get(name.lower(), name))
    return frozenset(found)


async def run(session: "Session", command: Command) -> Outcome:
    """Make a mailbox and those above it."""
    reader = Reader.of(command)
    asked = mailbox(reader, utf8=session.utf8)
    uses = _uses(reader)
    reader.end()
    if len(uses) > 1 or not uses <= USES:
        return no("A mailbox has one use of those known here", b"USEATTR")
    # A separator at the end announces names below it, which needs no preparation here.
    folder = await session.need_mail().create(asked.removesuffix(SEPARATOR), *uses)
    if session.rev2 and folder.name != asked:
        # RFC 9051 section 6.3.4: the server changed the name.
        session.machine.send(list_line(folder.name, (), utf8=True, extended=old_name(asked, utf8=True)))
    return ok("CREATE completed", b"MAILBOXID (%b)" % objects.mailbox_id(folder.folder_id))
