"""ESEARCH: one search in several mailboxes (RFC 7377)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everpost.access.imap import contexts, results
from everpost.access.imap.commands.search import allow, forgetting, need_uids
from everpost.access.imap.contexts import Context
from everpost.access.imap.outcome import ClientFault, Outcome, ok
from everpost.access.imap.wire import response
from everpost.access.imap.wire.events import Command
from everpost.access.imap.wire.grammar.multisearch import SELECTED, MultiSearch, Source, multisearch
from everpost.access.imap.wire.grammar.search import Search
from everpost.access.imap.wire.tokens import Reader
from everpost.mailbox.errors import FolderGone, NoFolder
from everpost.mailbox.names import INBOX, SEPARATOR
from everpost.mailbox.values import Folder
from everpost.mailbox.view import View

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (5267, 5465, 7377)


async def run(session: "Session", command: Command) -> Outcome:
    """Find messages; mailboxes without any are not told of."""
    selected = session.selected
    saved = tuple(selected.saved) if selected is not None else ()
    reader = Reader.of(command)
    if selected is None:
        request = multisearch(reader, saved, utf8=session.utf8)
    else:
        with forgetting(selected, command):
            request = multisearch(reader, saved, utf8=session.utf8)
    _check(session, command, request)
    here = any(source.kind == SELECTED for source in request.sources)
    if not request.is_selected_only:
        for folder in await _folders(session, request):
            if selected is not None and folder.folder_id == selected.view.folder.folder_id:
                here = True
                continue
            await _search(session, command, request.search, folder)
            await session.flush(full=True)
    if here:
        await _search_selected(session, command, request.search)
    return ok("ESEARCH completed")


def _check(session: "Session", command: Command, request: MultiSearch) -> None:
    """Raises ClientFault for what the state of the session does not allow (RFC 7377 section 2.2)."""
    need_uids(session, request.search)
    returned = request.search.returned or frozenset()
    if session.selected is not None:
        allow(session, session.selected, command, request.search)
    elif "UPDATE" in returned or any(source.kind == SELECTED for source in request.sources):
        raise ClientFault("no mailbox is selected")


async def _folders(session: "Session", request: MultiSearch) -> list[Folder]:
    """The mailboxes that the sources name, each once; those that do not exist are passed over."""
    mail = session.need_mail()
    folders = {folder.name: folder for folder in await mail.folders()}
    subscribed = set(await mail.subscriptions())
    found: dict[str, Folder] = {}
    for source in request.sources:
        for name in _names(source, folders, subscribed):
            found[name] = folders[name]
    return list(found.values())


def _names(source: Source, folders: dict[str, Folder], subscribed: set[str]) -> Iterator[str]:
    """RFC 5465 section 6, RFC 7377 section 2.2."""
    match source.kind:
        case "PERSONAL":
            yield from folders
        case "SUBSCRIBED":
            yield from (name for name in folders if name in subscribed)
        case "INBOXES":
            # Filters may put new mail anywhere, but the inbox is where it goes by itself.
            yield INBOX
        case "MAILBOXES":
            yield from (name for name in source.names if name in folders)
        case "SUBTREE" | "SUBTREE-ONE":
            wanted = set(source.names)
            one = source.kind == "SUBTREE-ONE"
            yield from (name for name in folders if name in wanted or not wanted.isdisjoint(_above(name, one=one)))
        case _:
            return


def _above(name: str, *, one: bool) -> list[str]:
    """The names above this one; with `one` only the nearest."""
    parts = name.split(SEPARATOR)
    above = [SEPARATOR.join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
    return above[:1] if one else above


async def _search(session: "Session", command: Command, request: Search, folder: Folder) -> None:
    try:
        view = await session.need_mail().select(folder.name, read_only=True)
    except (NoFolder, FolderGone):
        return
    try:
        uids = await view.search(request.criterion)
        if uids:
            results.extended(session, view, _belongs(session, command, view, folder.name), request, uids, uid=True)
    finally:
        view.close()


async def _search_selected(session: "Session", command: Command, request: Search) -> None:
    """The selected mailbox is searched as the client knows it."""
    selected = session.need_selected()
    view = selected.view
    with forgetting(selected, command):
        checked = view.highest_modseq
        uids = await view.search(request.criterion)
    belongs = _belongs(session, command, view, view.folder.name)
    if request.modseq:
        session.enable_condstore()
    if not results.keep(selected, request, uids) and uids:
        results.extended(session, view, belongs, request, uids, uid=True)
    if request.returned is not None and "UPDATE" in request.returned:
        context = Context(command.tag, belongs, True, request.criterion, None, checked, uids)
        contexts.begin(session, selected, context)


def _belongs(session: "Session", command: Command, view: View, name: str) -> bytes:
    mailbox = b"MAILBOX " + response.mailbox(name, utf8=session.utf8)
    return results.correlator(command.tag, mailbox, b"UIDVALIDITY %d" % view.folder.uid_validity)
