"""LIST with its options (RFC 9051 section 6.3.9, RFC 5258, RFC 5819, RFC 6154)."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everpost.access.imap.commands import metadata
from everpost.access.imap.folders import list_line, matcher, parents, status_line
from everpost.access.imap.outcome import Outcome, ok
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.listing import List, listing
from everpost.access.imap.wire.grammar.status import StatusItem
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.values import Folder

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (3501, 5258, 5819, 6154, 9051)

# After so many names others get a turn.
TURN = 500


@dataclass(frozen=True, slots=True)
class Tree:
    """All there is to know for a LIST."""

    folders: dict[str, Folder]
    subscribed: frozenset[str]
    above: frozenset[str]
    """Names that have a mailbox below them."""
    deleted_bytes: dict[int, int] | None = None
    """By folder, if STATUS asks for it."""
    notes: dict[int, dict[str, bytes]] = field(default_factory=dict)
    """By folder, if METADATA asks for it."""


async def run(session: "Session", command: Command) -> Outcome:
    """Tell which mailboxes there are."""
    request = listing(Reader.of(command), utf8=session.utf8)
    if request.patterns == ("",) and not request.extended:
        # RFC 9051 section 6.3.9: asks for the separator.
        session.untagged(b"LIST", b'(\\Noselect) "/" ""')
        return ok("LIST completed")
    if StatusItem.HIGHESTMODSEQ in request.status:
        session.enable_condstore()
    tree = await _load(session, request)
    fits = _matchers(request)
    for place, name in enumerate(_candidates(request, tree)):
        if place % TURN == TURN - 1:
            await session.flush(full=True)
            await asyncio.sleep(0)
        if any(fit(name) for fit in fits):
            _tell(session, request, tree, name, fits)
    return ok("LIST completed")


async def _load(session: "Session", request: List) -> Tree:
    mail = session.need_mail()
    folders = {folder.name: folder for folder in await mail.folders()}
    subscribed = frozenset(await mail.subscriptions())
    deleted = None
    if StatusItem.DELETED_STORAGE in request.status:
        deleted = await mail.deleted_bytes(list(folders.values()))
    notes = await mail.all_annotations() if request.metadata else {}
    return Tree(folders, subscribed, frozenset(parents(folders)), deleted, notes)


def _matchers(request: List) -> list[Callable[[str], bool]]:
    return [matcher(request.reference + pattern) for pattern in request.patterns]


def _candidates(request: List, tree: Tree) -> Iterable[str]:
    """Names that may be told, INBOX first, the others sorted."""
    names: set[str] = set(tree.folders)
    if "SUBSCRIBED" in request.selection:
        names |= tree.subscribed
    if "RECURSIVEMATCH" in request.selection:
        names |= parents(names)
    elif any(pattern.endswith("%") for pattern in request.patterns):
        # RFC 9051 section 6.3.9: levels of the hierarchy that are no mailboxes are told too.
        names |= tree.above
    return sorted(names, key=lambda name: (name != "INBOX", name))


def _is_selected(request: List, tree: Tree, name: str) -> bool:
    """Whether the name is what the selection options want; all of them have to agree."""
    if "SUBSCRIBED" in request.selection and name not in tree.subscribed:
        return False
    if "SPECIAL-USE" in request.selection:
        folder = tree.folders.get(name)
        return folder is not None and folder.role is not None
    return True


def _children(request: List, tree: Tree, name: str, fits: list[Callable[[str], bool]]) -> bool:
    """Whether something below is wanted that this LIST does not tell itself (CHILDINFO)."""
    below = name + "/"
    names = tree.subscribed if "SUBSCRIBED" in request.selection else tree.folders
    return any(
        each.startswith(below) and _is_selected(request, tree, each) and not any(fit(each) for fit in fits)
        for each in names
    )


def _tell(session: "Session", request: List, tree: Tree, name: str, fits: list[Callable[[str], bool]]) -> None:
    folder = tree.folders.get(name)
    wanted = _is_selected(request, tree, name)
    extended = b""
    if "RECURSIVEMATCH" in request.selection and _children(request, tree, name, fits):
        kinds = b" ".join(b'"%b"' % kind.encode() for kind in sorted(request.selection - {"RECURSIVEMATCH", "REMOTE"}))
        extended = b'"CHILDINFO" (%b)' % kinds
    if not wanted and not extended:
        return
    told = []
    if folder is None:
        # RFC 3501 knows no \NonExistent, which says more.
        told.append("\\NonExistent" if session.rev2 or request.extended else "\\Noselect")
    if name in tree.above:
        told.append("\\HasChildren")
    elif folder is not None:
        told.append("\\HasNoChildren")
    if name in tree.subscribed and "SUBSCRIBED" in request.selection | request.returned:
        told.append("\\Subscribed")
    if folder is not None and folder.role:
        told.append(folder.role)
    session.machine.send(list_line(name, told, utf8=session.utf8, extended=extended))
    if folder is not None and request.status and wanted:
        session.machine.send(status_line(folder, request.status, utf8=session.utf8, deleted_bytes=tree.deleted_bytes))
    if folder is not None and request.metadata and wanted:
        notes = tree.notes.get(folder.folder_id, {})
        # RFC 9590 section 3.2: of every mailbox, NIL for what is not noted.
        values = {entry: notes.get(entry) for entry in request.metadata}
        session.machine.send(metadata.line(name, values, utf8=session.utf8))
