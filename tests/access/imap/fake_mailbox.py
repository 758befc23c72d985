"""Accounts' mail in memory: what `mailbox` promises to doors, in the plainest way, for transcripts and models."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from everpost.core.clock import Clock
from everpost.mailbox import criteria, names
from everpost.mailbox import flags as flag_names
from everpost.mailbox.appending import NewMessage, Replaced
from everpost.mailbox.criteria import Criterion, Ranges, spans
from everpost.mailbox.errors import BadFolderName, FolderExists, FolderGone, NoFolder, NoMessage, OverQuota, UseTaken
from everpost.mailbox.reading import Forms
from everpost.mailbox.values import Appended, AppendedMany, Changes, Copied, Folder, Record, Stored, Usage
from everpost.mailbox.vanished import runs
from everpost.message import dates, words
from everpost.message.digest import digest
from everpost.message.parse import parse
from everpost.message.summary import Summary, summarise
from everpost.message.text import leaves, part_text
from everpost.store.sql.messages import DELETED, SEEN, MessageRow


@dataclass(eq=False)
class Held:
    """A folder."""

    folder_id: int
    name: str
    role: str | None
    uid_validity: int
    modseq: int
    uid_next: int = 1
    recent_uid: int = 1
    rows: dict[int, MessageRow] = field(default_factory=dict)
    gone: bool = False
    expunged: list[tuple[int, int]] = field(default_factory=list)
    """(modseq, UID) of what was removed."""


class FakeMailboxes:
    """Implements mailbox.account.Mailboxes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._accounts: dict[int, FakeAccount] = {}

    async def open(self, account_id: int, quota: int | None = None) -> "FakeMail":
        account = self._accounts.setdefault(account_id, FakeAccount(self.clock, quota or 0))
        if quota:
            account.quota = quota
        return FakeMail(account)


class FakeAccount:
    """What all sessions of an account share."""

    def __init__(self, clock: Clock, quota: int) -> None:
        self.clock = clock
        self.quota = quota
        self.modseq = 1
        self.folders: dict[str, Held] = {}
        self.subscribed: set[str] = set()
        self.contents: dict[int, bytes] = {}
        self.views: list[FakeView] = []
        self.notes: dict[int, dict[str, bytes]] = {}
        self.failing: Exception | None = None
        """Raised by everything that writes, once."""
        self._validity = int(clock.now()) - 1
        modseq = self.step()
        for name, role in names.FIRST_FOLDERS:
            self.make(name, role, modseq)
            self.subscribed.add(name)

    def make(self, name: str, role: str | None, modseq: int) -> Held:
        self._validity += 1
        held = Held(self._validity, name, role, self._validity, modseq)
        self.folders[name] = held
        return held

    def step(self) -> int:
        """The next modseq."""
        if self.failing is not None:
            failing, self.failing = self.failing, None
            raise failing
        self.modseq += 1
        return self.modseq

    def changed(self) -> None:
        for view in tuple(self.views):
            if view.call is not None:
                view.call()

    def find(self, name: str) -> Held:
        held = self.folders.get(names.normal(name))
        if held is None:
            raise NoFolder("no such folder")
        return held

    @property
    def bytes(self) -> int:
        return sum(row.size for held in self.folders.values() for row in held.rows.values())

    def place(self, held: Held, rows: Sequence[MessageRow], modseq: int) -> list[int]:
        uids = []
        now = int(self.clock.now() * 1000)
        for row in rows:
            held.modseq = modseq
            held.rows[held.uid_next] = row._replace(uid=held.uid_next, modseq=modseq, saved_at=now)
            uids.append(held.uid_next)
            held.uid_next += 1
        return uids


@dataclass
class FakeMail:
    """Implements mailbox.account.AccountMail."""

    account: FakeAccount

    def _shown(self, held: Held) -> Folder:
        rows = held.rows.values()
        return Folder(
            held.folder_id,
            held.name,
            held.role,
            held.name in self.account.subscribed,
            held.uid_validity,
            held.uid_next,
            held.recent_uid,
            held.modseq,
            len(rows),
            sum(not row.flags & SEEN for row in rows),
            sum(bool(row.flags & DELETED) for row in rows),
            sum(row.size for row in rows),
        )

    async def folders(self) -> list[Folder]:
        shown = [self._shown(held) for held in self.account.folders.values()]
        return sorted(shown, key=lambda folder: (folder.name != "INBOX", folder.name))

    async def subscriptions(self) -> list[str]:
        return sorted(self.account.subscribed)

    async def status(self, name: str) -> Folder:
        return self._shown(self.account.find(name))

    async def create(self, name: str, role: str | None = None) -> Folder:
        name = names.normal(name)
        if name in self.account.folders:
            raise FolderExists("the folder exists already")
        if role is not None and any(each.role == role for each in self.account.folders.values()):
            raise UseTaken("another folder has this use")
        modseq = self.account.step()
        for each in (*names.parents(name), name):
            if each not in self.account.folders:
                self.account.make(each, role if each == name else None, modseq)
        self.account.changed()
        return await self.status(name)

    async def delete(self, name: str) -> None:
        held = self.account.find(name)
        if held.name == "INBOX":
            raise BadFolderName("INBOX cannot be deleted")
        self.account.step()
        held.gone = True
        del self.account.folders[held.name]
        self.account.changed()

    async def rename(self, old: str, new: str) -> None:
        account = self.account
        held, new = account.find(old), names.normal(new)
        old = held.name
        if new in account.folders:
            raise FolderExists("the new name is taken")
        if old != "INBOX" and new.startswith(old + "/"):
            raise BadFolderName("a folder cannot move below itself")
        modseq = account.step()
        for parent in names.parents(new):
            if parent not in account.folders:
                account.make(parent, None, modseq)
        if old == "INBOX":
            target = account.make(new, None, modseq)
            rows, held.rows = list(held.rows.values()), {}
            held.modseq = modseq
            account.place(target, rows, modseq)
        else:
            for name in sorted(account.folders):
                if name == old or name.startswith(old + "/"):
                    each = account.folders.pop(name)
                    each.name = new + name[len(old) :]
                    each.modseq = modseq
                    account.folders[each.name] = each
        account.changed()

    async def subscribe(self, name: str) -> None:
        self.account.subscribed.add(names.normal(name))

    async def unsubscribe(self, name: str) -> None:
        self.account.subscribed.discard(names.normal(name))

    async def append(
        self, name: str, raw: bytes, flags: frozenset[str] = frozenset(), internal_ms: int | None = None
    ) -> Appended:
        held = self.account.find(name)
        if self.account.quota and self.account.bytes + len(raw) > self.account.quota:
            raise OverQuota("the mailbox is full")
        content = len(self.account.contents) + 1
        self.account.contents[content] = raw
        now = int(self.account.clock.now() * 1000)
        bits, keywords = flag_names.stored(flags)
        row = MessageRow(0, 0, bits, keywords, len(raw), now if internal_ms is None else internal_ms, now, content)
        uid = self.account.place(held, [row], self.account.step())[0]
        self.account.changed()
        return Appended(held.uid_validity, uid)

    async def append_many(
        self, name: str, new: Sequence[NewMessage], replacing: Replaced | None = None
    ) -> AppendedMany:
        account = self.account
        held = account.find(name)
        if replacing is not None:
            other = next(each for each in account.folders.values() if each.folder_id == replacing.folder_id)
            if replacing.uid not in other.rows:
                raise NoMessage("the message is gone")
        less = other.rows[replacing.uid].size if replacing is not None else 0
        if account.quota and account.bytes - less + sum(len(each.raw) for each in new) > account.quota:
            raise OverQuota("the mailbox is full")
        modseq = account.step()
        if replacing is not None:
            del other.rows[replacing.uid]
            other.modseq = modseq
            other.expunged.append((modseq, replacing.uid))
        now = int(account.clock.now() * 1000)
        uids = []
        for each in new:
            content = len(account.contents) + 1
            account.contents[content] = each.raw
            bits, keywords = flag_names.stored(each.flags)
            internal = now if each.internal_ms is None else each.internal_ms
            row = MessageRow(0, 0, bits, keywords, len(each.raw), internal, now, content)
            uids.extend(account.place(held, [row], modseq))
        account.changed()
        return AppendedMany(held.uid_validity, uids)

    async def annotations(self, name: str) -> dict[str, bytes]:
        return dict(self.account.notes.get(self.account.find(name).folder_id if name else 0, {}))

    async def all_annotations(self) -> dict[int, dict[str, bytes]]:
        return self.account.notes

    async def annotate(self, name: str, values: Mapping[str, bytes | None]) -> None:
        notes = self.account.notes.setdefault(self.account.find(name).folder_id if name else 0, {})
        self.account.step()
        for entry, value in values.items():
            notes.pop(entry, None)
            if value is not None:
                notes[entry] = value

    async def deleted_bytes(self, among: Sequence[Folder]) -> dict[int, int]:
        wanted = {folder.folder_id for folder in among}
        return {
            held.folder_id: sum(row.size for row in held.rows.values() if row.flags & DELETED)
            for held in self.account.folders.values()
            if held.folder_id in wanted
        }

    async def select(self, name: str, read_only: bool = False) -> "FakeView":
        held = self.account.find(name)
        recent_from = held.recent_uid
        if not read_only:
            held.recent_uid = held.uid_next
        view = FakeView(self, held, self._shown(held), read_only, recent_from)
        self.account.views.append(view)
        return view

    async def usage(self) -> Usage:
        return Usage(self.account.bytes, 0, self.account.quota)


class FakeView:
    """Implements mailbox.view.View by comparing what is there with what was told."""

    def __init__(self, mail: FakeMail, held: Held, folder: Folder, read_only: bool, recent_from: int) -> None:
        self.mail = mail
        self.held = held
        self.folder = folder
        self.read_only = read_only
        self.recent_from = recent_from
        self.told = dict(held.rows)
        self.uids = sorted(self.told)
        self.call: Callable[[], None] | None = None
        self._last = held.uid_next - 1

    def close(self) -> None:
        if self in self.mail.account.views:
            self.mail.account.views.remove(self)

    def on_change(self, call: Callable[[], None] | None) -> None:
        self.call = call

    @property
    def highest_modseq(self) -> int:
        return self.held.modseq

    @property
    def uid_next(self) -> int:
        return self.held.uid_next

    def sequence(self, uid: int) -> int | None:
        place = bisect_left(self.uids, uid)
        return place + 1 if place < len(self.uids) and self.uids[place] == uid else None

    def is_gone(self, uid: int) -> bool:
        return uid not in self.held.rows

    def record(self, uid: int) -> Record:
        row = self.rows([uid])[0]
        return Record(
            uid,
            flag_names.names(row.flags, row.keywords),
            row.modseq,
            row.size,
            row.internal_at,
            uid >= self.recent_from,
            row.content_id,
        )

    def rows(self, uids: Iterable[int]) -> list[MessageRow]:
        return [self.held.rows.get(uid) or self.told[uid] for uid in uids]

    async def sync(self, expunges: bool) -> Changes:
        if self.held.gone:
            return Changes(gone=True)
        expunged, vanished = [], []
        if expunges:
            vanished = [uid for uid in self.uids if uid not in self.held.rows]
            expunged = [self.uids.index(uid) + 1 for uid in reversed(vanished)]
            self.uids = [uid for uid in self.uids if uid in self.held.rows]
            for uid in vanished:
                del self.told[uid]
        changed = [
            (place, self.record(uid))
            for place, uid in enumerate(self.uids, 1)
            if uid in self.held.rows and self.held.rows[uid] != self.told[uid]
        ]
        new = [uid for uid in sorted(self.held.rows) if uid > self._last]
        self._last = self.held.uid_next - 1
        self.uids.extend(new)
        for uid in self.uids:
            if uid in self.held.rows:
                self.told[uid] = self.held.rows[uid]
        return Changes(
            expunged,
            vanished,
            len(self.uids) if new else None,
            sum(uid >= self.recent_from for uid in new),
            changed,
        )

    async def store(
        self, uids: Sequence[int], op: str, flags: frozenset[str], unchanged_since: int | None = None
    ) -> Stored:
        if self.held.gone:
            raise FolderGone("the folder was deleted")
        modseq = self.mail.account.step()
        modified, done = [], []
        for uid in uids:
            row = self.held.rows.get(uid)
            if row is None:
                continue
            if unchanged_since is not None and row.modseq > unchanged_since:
                modified.append(uid)
                continue
            bits, keywords = flag_names.change(row.flags, row.keywords, op, flags)
            if (bits, keywords) != (row.flags, row.keywords):
                self.held.rows[uid] = row._replace(flags=bits, keywords=keywords, modseq=modseq)
                self.held.modseq = modseq
            self.told[uid] = self.held.rows[uid]
            done.append(uid)
        self.mail.account.changed()
        return Stored([self.record(uid) for uid in done], modified)

    async def copy(self, uids: Sequence[int], name: str) -> Copied:
        target = self.mail.account.find(name)
        there = [uid for uid in uids if uid in self.held.rows]
        rows = [self.held.rows[uid] for uid in there]
        account = self.mail.account
        if account.quota and account.bytes + sum(row.size for row in rows) > account.quota:
            raise OverQuota("the mailbox is full")
        placed = account.place(target, rows, account.step())
        account.changed()
        return Copied(target.uid_validity, there, placed)

    async def move(self, uids: Sequence[int], name: str) -> Copied:
        target = self.mail.account.find(name)
        there = [uid for uid in uids if uid in self.held.rows]
        rows = [self.held.rows.pop(uid) for uid in there]
        modseq = self.mail.account.step()
        self.held.expunged.extend((modseq, uid) for uid in there)
        if rows:
            self.held.modseq = modseq
        placed = self.mail.account.place(target, rows, modseq)
        self.mail.account.changed()
        return Copied(target.uid_validity, there, placed)

    async def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        if self.held.gone:
            return []
        gone = [
            uid for uid, row in self.held.rows.items() if row.flags & DELETED and (uids is None or uid in set(uids))
        ]
        modseq = self.mail.account.step()
        if gone:
            self.held.modseq = modseq
        for uid in gone:
            del self.held.rows[uid]
            self.held.expunged.append((modseq, uid))
        self.mail.account.changed()
        return gone

    async def vanished(self, since: int, known: Ranges | None) -> list[tuple[int, int]]:
        wanted = list(spans(known, self.held.uid_next - 1)) if known else [(1, self.held.uid_next)]
        gone = {uid for modseq, uid in self.held.expunged if modseq > since and uid not in self.uids}
        return runs(uid for uid in sorted(gone) if any(low <= uid <= high for low, high in wanted))

    def _there(self, uids: Iterable[int]) -> dict[int, bytes]:
        """Contents of expunged messages are gone with them."""
        return {
            uid: self.mail.account.contents[self.held.rows[uid].content_id] for uid in uids if uid in self.held.rows
        }

    async def forms(self, uids: Sequence[int]) -> dict[int, Forms]:
        found = {}
        for uid, raw in self._there(uids).items():
            made = digest(raw)
            found[uid] = Forms(made.envelope, made.bodystructure, made.structure, "")
        return found

    async def envelopes(self, uids: Sequence[int]) -> dict[int, bytes]:
        return {uid: forms.envelope for uid, forms in (await self.forms(uids)).items()}

    async def summaries(self, uids: Sequence[int]) -> dict[int, Summary]:
        return {uid: summarise(parse(raw)) for uid, raw in self._there(uids).items()}

    async def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        return {uid: raw[: parse(raw).root.body_start] for uid, raw in self._there(uids).items()}

    async def raw(self, uid: int) -> bytes | None:
        return self._there([uid]).get(uid)

    async def search(self, criterion: Criterion) -> list[int]:
        return [uid for place, uid in enumerate(self.uids, 1) if self._fits(criterion, place, uid)]

    def _fits(self, node: Criterion, place: int, uid: int) -> bool:
        row = self.rows([uid])[0]
        raw = self.mail.account.contents[row.content_id]
        message = parse(raw)
        match node:
            case criteria.All():
                return True
            case criteria.And(parts):
                return all(self._fits(part, place, uid) for part in parts)
            case criteria.Or(parts):
                return any(self._fits(part, place, uid) for part in parts)
            case criteria.Not(part):
                return not self._fits(part, place, uid)
            case criteria.Flag(name):
                return name.lower() in {flag.lower() for flag in flag_names.names(row.flags, row.keywords)}
            case criteria.Recent():
                return uid >= self.recent_from
            case criteria.Uids(ranges):
                last = self.uids[-1] if self.uids else 0
                return any(low <= uid <= high for low, high in spans(ranges, last))
            case criteria.Sequence(ranges):
                return any(low <= place <= high for low, high in spans(ranges, len(self.uids)))
            case criteria.Before(day, sent) | criteria.On(day, sent) | criteria.Since(day, sent):
                moment = dates.parse(message.fields.get("date") or b"") if sent else None
                if not sent:
                    moment = datetime.fromtimestamp(row.internal_at / 1000, UTC)
                if moment is None:
                    return False
                found = moment.date()
                if isinstance(node, criteria.On):
                    return found == day
                return found < day if isinstance(node, criteria.Before) else found >= day
            case criteria.Larger(size):
                return row.size > size
            case criteria.Smaller(size):
                return row.size < size
            case criteria.ModSeqAtLeast(modseq):
                return row.modseq >= modseq
            case criteria.Older(seconds):
                return row.internal_at <= (self.mail.account.clock.now() - seconds) * 1000
            case criteria.Younger(seconds):
                return row.internal_at >= (self.mail.account.clock.now() - seconds) * 1000
            case criteria.Saved(since, last):
                found = datetime.fromtimestamp(row.saved_at / 1000, UTC).date()
                return since <= found and (last is None or found <= last)
            case criteria.Content(content_id):
                return row.content_id == content_id
            case criteria.Header(name, text):
                values = message.fields.all(name)
                return any(text.casefold() in words.decode(value).casefold() for value in values)
            case criteria.Text(text, body_only):
                body = "\n".join(part_text(raw, leaf) for leaf in leaves(message.root))
                header = "" if body_only else words.decode(raw[: message.root.body_start])
                return text.casefold() in (header + body).casefold()
            case _:
                raise NotImplementedError(node)
