"""Those who use the node while it is hurt: deliverers and flaggers."""

import asyncio
import random
import re
from collections.abc import Callable, Iterable

from tests.chaos.ledger import Ledger, PromiseBroken, content
from tests.chaos.wire import CutOff, Imap, PutOff, Unexpected, imap, smtp
from tests.servers.node import PASSWORD, Node

# A client that was cut off comes back after this long (seconds).
AGAIN_SECONDS = 0.05
STORES_PER_SELECT = 8

_FETCH = re.compile(rb"\* (\d+) FETCH \(")
_UID = re.compile(rb"[ (]UID (\d+)")
_BODY = re.compile(rb"BODY\[\] \{(\d+)\}\r\n")
_SUBJECT = re.compile(rb"^Subject: (\S+)\r?$", re.MULTILINE)


def number(pattern: bytes, response: bytes) -> int:
    """The number that follows `pattern`. Raises Unexpected if there is none."""
    found = re.search(pattern + rb" \(?(\d+)", response)
    if found is None:
        raise Unexpected((pattern, response))
    return int(found.group(1))


def told(untagged: Iterable[bytes], what: bytes) -> int:
    """The number of a response code such as UIDNEXT in the answer to SELECT."""
    for response in untagged:
        if b"[" + what in response:
            return number(rb"\[" + what, response)
    raise Unexpected(f"no {what.decode()} in the answer to SELECT")


def fetched(answer: Iterable[bytes], item: bytes) -> list[tuple[int, int, bytes]]:
    """The FETCH responses that have an item and a UID: sequence number, UID, response.

    Besides those asked for there may be others, which tell what other sessions have changed.
    """
    return [
        (int(fetch.group(1)), int(uid.group(1)), one)
        for one in answer
        if (fetch := _FETCH.match(one)) and (uid := _UID.search(one)) and item in one
    ]


def subject(response: bytes) -> str:
    """The message id, which is the subject. Raises Unexpected if there is none."""
    found = _SUBJECT.search(response)
    if found is None:
        raise Unexpected(response)
    return found.group(1).decode()


async def deliver(
    node: Node, ledger: Ledger, name: str, chance: random.Random, going: Callable[[], bool], pause: float
) -> None:
    """Send one message after the other, `pause` seconds apart on average; write down what was acknowledged."""
    accounts = list(ledger.accounts)
    count = 0
    while going():
        try:
            async with smtp(node.port("smtp")) as session:
                for _ in range(chance.randrange(1, 20)):
                    if not going():
                        return
                    await asyncio.sleep(chance.uniform(0, 2 * pause))
                    count += 1
                    ident, account = f"{name}-{count}", chance.choice(accounts)
                    await session.ask(b"MAIL FROM:<sender@chaos.test>", b"250")
                    await session.ask(f"RCPT TO:<{account}>".encode(), b"250")
                    await session.ask(b"DATA", b"354")
                    ledger.unanswered[ident] = account
                    await session.send(content(ident) + b".\r\n")
                    reply = await session.reply()
                    if reply.startswith(b"250"):
                        del ledger.unanswered[ident]
                        ledger.acknowledged[ident] = account
                        ledger.counts["acknowledged"] += 1
                    elif reply.startswith(b"4"):
                        # Refused for now: it must not be there, but a commit whose outcome is unknown may be.
                        raise PutOff(reply)
                    else:
                        raise Unexpected(reply)
        except CutOff as error:
            ledger.counts[f"smtp {'put' if isinstance(error, PutOff) else 'cut'} off"] += 1
            await asyncio.sleep(AGAIN_SECONDS)


async def flag(
    node: Node, ledger: Ledger, name: str, account: str, chance: random.Random, going: Callable[[], bool]
) -> None:
    """Select, check all that is known, set and remove a keyword of its own, again and again."""
    keyword = f"$Chaos{name}"
    while going():
        try:
            async with imap(node.port("imap"), account, PASSWORD) as session:
                while going():
                    uids = await look(session, ledger, account, keyword)
                    for _ in range(STORES_PER_SELECT if uids else 0):
                        await change(session, ledger, account, keyword, chance.choice(uids), chance)
                    ledger.counts["selects"] += 1
                    await asyncio.sleep(0)
        except CutOff as error:
            ledger.counts[f"imap {'put' if isinstance(error, PutOff) else 'cut'} off"] += 1
            await asyncio.sleep(AGAIN_SECONDS)


async def look(session: Imap, ledger: Ledger, account: str, keyword: str) -> list[int]:
    """SELECT, fetch flags of all and subjects of new ones; all of it must agree with the ledger."""
    seen = ledger.accounts[account]
    # A session sees what was so at its SELECT, and later changes when it is told of them.
    floor, modseqs = seen.floor, dict(seen.modseqs)
    answer = await session.ask("SELECT INBOX (CONDSTORE)")
    uid_next = told(answer, b"UIDNEXT")
    seen.selected(told(answer, b"UIDVALIDITY"), uid_next, told(answer, b"HIGHESTMODSEQ"), floor)
    places: dict[int, int] = {}
    for place, uid, response in fetched(await session.ask("UID FETCH 1:* (FLAGS MODSEQ)"), b"MODSEQ"):
        if places.setdefault(place, uid) != uid:
            raise PromiseBroken(f"message {place} was UID {places[place]} and is {uid}")
        seen.changed(uid, number(rb"MODSEQ", response), modseqs.get(uid, 0))
        ledger.check_flag(account, uid, keyword, keyword.encode() in response)
    uids = [places[place] for place in sorted(places)]
    seen.listed(uids, uid_next, floor)
    new = [uid for uid in uids if uid not in seen.idents]
    if new:
        numbers = ",".join(map(str, new))
        answer = await session.ask(f"UID FETCH {numbers} BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        told_of = fetched(answer, b"BODY[HEADER.FIELDS")
        for _, uid, response in told_of:
            seen.identified(uid, subject(response))
        if {uid for _, uid, _ in told_of} != set(new):
            raise PromiseBroken(f"of UIDs {new} only these have a header: {[uid for _, uid, _ in told_of]}")
    return uids


async def change(session: Imap, ledger: Ledger, account: str, keyword: str, uid: int, chance: random.Random) -> None:
    """STORE the own keyword at one message; its MODSEQ must grow if that changes anything."""
    seen = ledger.accounts[account]
    key = account, uid, keyword
    before, floor, wanted = ledger.stored.get(key), seen.modseqs.get(uid, 0), chance.random() < 0.6
    ledger.stored[key] = None
    answer = await session.ask(f"UID STORE {uid} {'+' if wanted else '-'}FLAGS ({keyword})")
    ledger.stored[key] = wanted
    ledger.counts["stores"] += 1
    modseqs = [number(rb"MODSEQ", response) for _, which, response in fetched(answer, b"MODSEQ") if which == uid]
    if before is not None and before != wanted and max(modseqs, default=0) <= floor:
        raise PromiseBroken(f"{keyword} of UID {uid} changed, but its MODSEQ {modseqs} is not above {floor}")
    for modseq in modseqs:
        seen.modseqs[uid] = max(seen.modseqs.get(uid, 0), modseq)


async def collect(node: Node, ledger: Ledger, account: str) -> None:
    """Read the whole INBOX at the end and compare it with everything that was told."""
    async with imap(node.port("imap"), account, PASSWORD) as session:
        await look(session, ledger, account, "$ChaosNobody")
        found = {}
        for _, uid, response in fetched(await session.ask("UID FETCH 1:* BODY.PEEK[]"), b"BODY[]"):
            literal = _BODY.search(response)
            assert literal is not None, response[:200]
            raw = response[literal.end() : literal.end() + int(literal.group(1))]
            found[uid] = subject(response), raw
            ledger.accounts[account].identified(uid, found[uid][0])
        ledger.check_all(account, found)
