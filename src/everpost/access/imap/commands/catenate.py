"""Messages put together from bytes the client sends and bytes that are there already (RFC 4469)."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from everpost.access.imap import sections
from everpost.access.imap.wire import response
from everpost.access.imap.wire.grammar.append import Message, Url
from everpost.access.imap.wire.grammar.urls import MessageUrl, message_url
from everpost.core.errors import Refused
from everpost.mailbox.appending import NewMessage
from everpost.mailbox.errors import BadFolderName, NoFolder, TooLarge
from everpost.mailbox.view import View
from everpost.message.parse import parse

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (4469, 5092)

# So many mailboxes are opened for one command.
MAX_MAILBOXES = 10


class BadUrl(Refused):
    """Nothing is there under a URL."""

    def __init__(self, url: bytes) -> None:
        super().__init__("a URL names nothing that can be used")
        self.code = b"BADURL " + response.string(url[:200])


class Source:
    """Reads parts; mailboxes it opens stay open until the end of the command."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._views: dict[str, View] = {}
        self._size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for view in self._views.values():
            view.close()

    async def whole(self, message: Message) -> NewMessage:
        """The message. Raises BadUrl, TooLarge."""
        pieces = []
        for part in message.parts:
            piece = await self._read(part) if isinstance(part, Url) else part
            self._size += len(piece)
            if self._size > self._session.settings.max_literal:
                # RFC 4469 section 3
                raise TooLarge("the message is too big")
            pieces.append(piece)
        return NewMessage(b"".join(pieces), message.flags, message.internal_ms)

    async def _read(self, url: Url) -> bytes:
        wanted = message_url(url.text)
        view = None if wanted is None else await self._open(wanted)
        if wanted is None or view is None:
            raise BadUrl(url.text)
        if wanted.uid_validity is not None and wanted.uid_validity != view.folder.uid_validity:
            raise BadUrl(url.text)
        raw = await view.raw(wanted.uid) if view.sequence(wanted.uid) is not None else None
        tree = parse(raw).root if raw is not None and sections.needs_tree(wanted.body.section) else None
        data = None if raw is None else sections.extract(raw, tree, wanted.body.section)
        if data is None:
            raise BadUrl(url.text)
        return sections.cut(data, wanted.body.partial)

    async def _open(self, wanted: MessageUrl) -> View | None:
        """Of messages in the selected mailbox, those that the client knows."""
        selected = self._session.selected
        if wanted.mailbox is None:
            return None if selected is None else selected.view
        view = self._views.get(wanted.mailbox)
        if view is None and len(self._views) < MAX_MAILBOXES:
            try:
                view = await self._session.need_mail().select(wanted.mailbox, read_only=True)
            except (NoFolder, BadFolderName):
                return None
            self._views[wanted.mailbox] = view
        return view
