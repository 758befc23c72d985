"""A client that believes the server: it applies what it is told and notices when that cannot be true."""

import re

from tests.access.imap.world import Client

_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_UID = re.compile(rb"UID (\d+)")
_MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
SYSTEM = frozenset({"\\Recent"})


class Message:
    """What the client knows of a message."""

    def __init__(self) -> None:
        self.uid: int | None = None
        self.flags: frozenset[str] | None = None
        self.modseq = 0
        self.told = False
        """Flags came with the last command."""


class ModelClient:
    """One session with INBOX selected."""

    def __init__(self, client: Client, *, condstore: bool, rev2: bool, qresync: bool = False) -> None:
        self.client = client
        self.condstore = condstore
        self.rev2 = rev2
        self.qresync = qresync
        self.messages: list[Message] = []
        self.idling = False
        self.results: dict[str, list[int]] = {}
        """UIDs or sequence numbers of searches that are kept up to date, by tag; applied as RFC 5267 says."""
        self.number = 0
        self.told_expunge = False

    async def select(self) -> None:
        if self.rev2:
            await self.command("ENABLE IMAP4rev2")
        if self.qresync:
            await self.command("ENABLE QRESYNC")
        self.messages = []
        await self.command("SELECT INBOX" + (" (CONDSTORE)" if self.condstore else ""))
        await self.learn()

    async def learn(self) -> None:
        """Ask for what is not known, as clients do after EXISTS."""
        for _ in range(5):
            unknown = [place for place, each in enumerate(self.messages, 1) if each.flags is None or each.uid is None]
            if not unknown:
                return
            await self.command(f"FETCH {','.join(map(str, unknown))} (UID FLAGS)")
        raise AssertionError("the server does not tell flags")

    async def command(self, text: str, *, expunges: bool = True) -> str:
        """The tagged response, without the tag."""
        assert not self.idling
        self.number += 1
        tag = f"t{self.number}"
        self.told_expunge = False
        output = await self.client.send(f"{tag} {text}\r\n".encode())
        final = self.apply(output, tag)
        assert final is not None, output
        assert expunges or not self.told_expunge, f"EXPUNGE in the answer to {text}"
        return final

    def apply(self, output: bytes, tag: str = "") -> str | None:
        """Believe these responses; the text of the tagged one."""
        final = None
        place = 0
        while place < len(output):
            end = output.index(b"\r\n", place)
            line = output[place : end + 2]
            place = end + 2
            while found := _LITERAL.search(line, max(len(line) - 14, 0)):
                # A literal: its bytes are no business of the model, what follows them is.
                place += int(found.group(1))
                end = output.index(b"\r\n", place)
                line = line[: found.start()] + output[place : end + 2]
                place = end + 2
            assert final is None, f"something after the tagged response: {line!r}"
            if line.startswith(f"{tag} ".encode()):
                final = line[len(tag) + 1 : -2].decode()
            elif not line.startswith(b"+ "):
                self._untagged(line)
        return final

    async def watch(self, text: str) -> str:
        """Begin a search that is kept up to date; its tag."""
        tag = f"t{self.number + 1}"
        self.results[tag] = []
        await self.command(text)
        return tag

    def _result(self, line: bytes) -> None:
        """Apply an ESEARCH response."""
        tag = re.search(rb'TAG "([^"]+)"', line)
        assert tag is not None
        known = self.results.get(tag.group(1).decode())
        if known is None:
            return
        if found := re.search(rb" ALL ([\d:,]+)", line):
            known[:] = _numbers(found.group(1))
        for kind, pairs in re.findall(rb"(REMOVEFROM|ADDTO) \(([^)]*)\)", line):
            words = pairs.split()
            for position, numbers in zip(words[::2], words[1::2], strict=True):
                for offset, number in enumerate(_numbers(numbers)):
                    place = int(position)
                    if kind == b"ADDTO":
                        assert number not in known, "added twice"
                        known.insert(place - 1 + offset if place else len(known), number)
                    elif place:
                        assert known.pop(place - 1) == number, "another message is at this place"
                    else:
                        known.remove(number)

    def _untagged(self, line: bytes) -> None:
        if line.startswith(b"* VANISHED "):
            self._vanished(line[11:-2].decode())
            return
        if line.startswith(b"* ESEARCH"):
            self._result(line)
        found = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT|FETCH)", line)
        if not found:
            return
        number, kind = int(found.group(1)), found.group(2)
        match kind:
            case b"EXISTS":
                assert number >= len(self.messages), "EXISTS made messages vanish"
                self.messages.extend(Message() for _ in range(number - len(self.messages)))
            case b"EXPUNGE":
                assert not self.qresync
                assert 1 <= number <= len(self.messages), "EXPUNGE of a message that is not there"
                del self.messages[number - 1]
                self.told_expunge = True
            case b"RECENT":
                assert not self.rev2
                assert number <= len(self.messages)
            case b"FETCH":
                assert 1 <= number <= len(self.messages), "FETCH of a message that is not there"
                self._fetched(self.messages[number - 1], line)

    def _vanished(self, numbers: str) -> None:
        assert self.qresync
        gone = set()
        for piece in numbers.split(","):
            low, _, high = piece.partition(":")
            gone |= set(range(int(low), int(high or low) + 1))
        kept = [message for message in self.messages if message.uid not in gone]
        for _ in range(len(gone) - (len(self.messages) - len(kept))):
            # It has not asked for the UIDs of the last ones yet; it is one of these.
            assert kept and kept[-1].uid is None, "VANISHED of a message that is not there"
            kept.pop()
        self.messages = kept
        self.told_expunge = True

    def _fetched(self, message: Message, line: bytes) -> None:
        if found := _UID.search(line):
            uid = int(found.group(1))
            assert message.uid in {None, uid}, f"UID {message.uid} became {uid}"
            message.uid = uid
        if found := _MODSEQ.search(line):
            modseq = int(found.group(1))
            assert modseq >= message.modseq, "a modseq went back"
            message.modseq = modseq
        if found := _FLAGS.search(line):
            flags = frozenset(found.group(1).decode().split())
            assert not (self.rev2 and "\\Recent" in flags)
            message.flags = flags - SYSTEM
            message.told = True

    def place(self, number: int) -> int | None:
        """A sequence number that exists, made from any number."""
        return number % len(self.messages) + 1 if self.messages else None

    def known(self) -> list[tuple[int | None, frozenset[str] | None]]:
        """What the client believes."""
        return [(message.uid, message.flags) for message in self.messages]

    # What clients do.

    async def store(self, numbers: list[int], op: str, flags: list[str], *, silent: bool, uid: bool, old: bool) -> None:
        places = sorted({place for number in numbers if (place := self.place(number))})
        if not places:
            return
        since = ""
        if old and self.condstore:
            since = f"(UNCHANGEDSINCE {max(self.messages[place - 1].modseq for place in places)}) "
        names = [str(self.messages[place - 1].uid if uid else place) for place in places]
        targets = [self.messages[place - 1] for place in places]
        changed = frozenset(flags)
        before = [message.flags for message in targets]
        for message in targets:
            # The client takes its own change for done; what it is told from now on is newer.
            message.told = False
            message.flags = {"": changed, "+": message.flags | changed, "-": message.flags - changed}[op]
        final = await self.command(
            f"{'UID ' if uid else ''}STORE {','.join(names)} {since}{op}FLAGS{'.SILENT' if silent else ''} "
            f"({' '.join(flags)})",
            expunges=uid,
        )
        if not final.startswith("OK"):
            # Some were gone: the client asks again for all.
            await self.command("NOOP")
            for message in self.messages:
                message.flags = None
            await self.learn()
            return
        modified = set()
        if found := re.search(r"\[MODIFIED ([\d,:]+)\]", final):
            for piece in found.group(1).split(","):
                low, _, high = piece.partition(":")
                modified |= set(range(int(low), int(high or low) + 1))
        for place, message, was in zip(places, targets, before, strict=True):
            key = message.uid if uid else place
            if key in modified and not message.told:
                message.flags = was
            gone = message not in self.messages
            assert silent or key in modified or message.told or gone, "not told of its own change"

    async def idle(self) -> None:
        self.number += 1
        self.apply(await self.client.send(f"t{self.number} IDLE\r\n".encode()), "none")
        self.idling = True

    async def hear(self) -> None:
        """What comes by itself: only while idling."""
        output = await self.client.poll()
        assert self.idling or not output
        self.apply(output, "none")

    async def done(self) -> None:
        if self.idling:
            self.idling = False
            final = self.apply(await self.client.send(b"DONE\r\n"), f"t{self.number}")
            assert final is not None and final.startswith("OK")
            await self.learn()


def _numbers(text: bytes) -> list[int]:
    """A set of numbers written out."""
    found: list[int] = []
    for piece in text.split(b","):
        low, _, high = piece.partition(b":")
        found.extend(range(int(low), int(high or low) + 1))
    return found
