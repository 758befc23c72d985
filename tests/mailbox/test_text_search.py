"""SEARCH TEXT and BODY with signatures, on both engines: the same answers as plain Python gives."""

import random

import pytest

from everpost.core.ids import AccountId, trace_id
from everpost.mailbox.account import AccountMail, Mailboxes
from everpost.mailbox.criteria import And, Flag, Not, Or, Text, Uids
from everpost.mailbox.deliver import place_content
from everpost.mailbox.narrowing import SignatureCache, Table, read
from everpost.mailbox.upkeep import SETTLED_SECONDS, sign_contents
from everpost.mailbox.view import View
from everpost.message import words
from everpost.message.digest import digest
from everpost.message.parse import parse
from everpost.message.signature import sign
from everpost.message.text import embedded_headers, leaves, part_text
from tests.corpus import crlf, mails
from tests.mailbox.conftest import message
from tests.mailbox.test_upkeep import LaterClock


def plain(raw: bytes) -> tuple[str, str]:
    """Header and body as SEARCH sees them, decoded without any of the code under test."""
    root = parse(raw).root
    header = "\n".join(words.decode(each) for each in (raw[: root.body_start], *embedded_headers(raw, root)))
    return header.casefold(), "\n".join(part_text(raw, leaf) for leaf in leaves(root)).casefold()


def expected(texts: list[tuple[str, str]], wanted: str, body_only: bool) -> list[int]:
    folded = wanted.casefold()
    return [
        number + 1
        for number, (header, body) in enumerate(texts)
        if folded in body or (not body_only and folded in header)
    ]


@pytest.fixture
async def real(mail: AccountMail) -> list[tuple[str, str]]:
    """Real mail in INBOX: what it says."""
    raws = [crlf(path.read_bytes()) for path in [*mails("mail")[::5], *mails("lists")[::6]]]
    for raw in raws:
        await mail.append("INBOX", raw)
    return [plain(raw) for raw in raws]


async def check(view: View, texts: list[tuple[str, str]], chance: random.Random, rounds: int) -> None:
    for _ in range(rounds):
        header, body = chance.choice(texts)
        text = chance.choice((header, body)) or "x"
        place = chance.randrange(len(text))
        wanted = text[place : place + chance.choice((1, 2, 3, 4, 5, 8, 12, 30))].upper()
        for body_only in (False, True):
            assert await view.search(Text(wanted, body_only)) == expected(texts, wanted, body_only), wanted


async def test_any_part_of_real_mail_is_found(mail: AccountMail, real: list[tuple[str, str]]) -> None:
    view = await mail.select("INBOX")
    await check(view, real, random.Random(3), 40)
    assert await view.search(Text("no such word anywhere")) == []
    assert await view.search(Not(Text("no such word anywhere"))) == view.uids
    view.close()


async def test_messages_without_signature_are_found_and_get_one(
    mailboxes: Mailboxes, mail: AccountMail, real: list[tuple[str, str]]
) -> None:
    chance = random.Random(4)
    rows = await mail.database.query("SELECT content_id, data FROM signature ORDER BY content_id")
    assert len(rows) == len(real)
    for content_id, _ in rows[::2]:
        await mail.database.statement("DELETE FROM signature WHERE content_id = $1", content_id)
    # One of another version is as good as none.
    await mail.database.statement("UPDATE signature SET data = $2 WHERE content_id = $1", rows[1][0], b"\xff" * 30)
    view = await mail.select("INBOX")
    await check(view, real, chance, 10)
    assert await sign_contents(mail.database, mail.contents, LaterClock(SETTLED_SECONDS - 1)) == 0
    assert await sign_contents(mail.database, mail.contents, LaterClock(SETTLED_SECONDS + 1)) == len(rows[::2])
    again = await mail.database.query("SELECT content_id, data FROM signature ORDER BY content_id")
    assert [tuple(row) for row in again[::2]] == [tuple(row) for row in rows[::2]]
    assert await sign_contents(mail.database, mail.contents, LaterClock(SETTLED_SECONDS + 1)) == 0
    await check(view, real, chance, 10)
    view.close()


async def test_what_arrives_moves_and_goes(mailboxes: Mailboxes, mail: AccountMail) -> None:
    for subject in ("amsterdam", "brussels", "copenhagen"):
        await mail.append("INBOX", message(subject, f"about {subject}\r\n"))
    view = await mail.select("INBOX")
    assert await view.search(Text("Brussels")) == [2]
    await mail.append("INBOX", message("dublin", "also brussels\r\n"))
    await view.sync(True)
    assert await view.search(Text("BRUSSELS")) == [2, 4]
    assert await view.search(Text("brussels", body_only=True)) == [2, 4]
    await view.store([4], "add", frozenset({"\\Seen"}))
    assert await view.search(And((Text("brussels"), Flag("\\Seen")))) == [4]
    assert await view.search(And((Text("brussels"), Not(Flag("\\Seen"))))) == [2]
    assert await view.search(Or((Text("amsterdam"), And((Text("brussels"), Uids(((4, 4),))))))) == [1, 4]
    await view.copy([2], "Archive")
    await view.move([4], "Archive")
    archive = await mail.select("Archive")
    assert await archive.search(Text("brussels")) == [1, 2]
    await view.sync(True)
    assert await view.search(Text("brussels")) == [2]
    await view.remove([2])
    await view.sync(True)
    assert await view.search(Text("brussels")) == []
    assert await archive.search(Text("brussels")) == [1, 2]
    assert len(await mail.database.query("SELECT content_id FROM signature")) == 4
    await archive.remove([1, 2])
    left = await mail.database.query("SELECT content_id FROM signature")
    kept = await mail.database.query("SELECT content_id FROM content")
    assert sorted(map(tuple, left)) == sorted(map(tuple, kept))
    assert len(left) == 2
    view.close()
    archive.close()


async def test_a_folder_too_large_for_the_cache_is_searched_all_the_same(
    mailboxes: Mailboxes, mail: AccountMail, real: list[tuple[str, str]]
) -> None:
    mailboxes.signatures = SignatureCache(max_bytes=20_000)
    view = await mail.select("INBOX")
    await check(view, real, random.Random(6), 10)
    answers = await mailboxes.signatures.sift(
        mail.database,
        view.index.folder_id,
        len(real),
        [row.content_id for row in view.rows(view.uids)],
        [("Доброго ранку, пане 北京大学".casefold().encode(), False)],
        load=True,
    )
    assert not answers[0].any()
    table = mailboxes.signatures.table(view.index.folder_id, len(real))
    assert 0 < len(table.slots) < len(real)
    view.close()


async def test_the_cache_forgets_folders_searched_long_ago(mailboxes: Mailboxes) -> None:
    mailboxes.signatures = SignatureCache(max_bytes=3_000)
    tables = []
    for account in range(1, 8):
        mail = await mailboxes.open(AccountId(account))
        for number in range(3):
            await mail.append("INBOX", message(f"number {number} of account {account}"))
        view = await mail.select("INBOX")
        assert await view.search(Text(f"1 of account {account}")) == [2]
        tables.append((view.index.folder_id, mailboxes.signatures.table(view.index.folder_id, 3)))
        view.close()
    assert mailboxes.signatures.table(tables[-1][0], 3) is tables[-1][1]
    assert mailboxes.signatures.table(tables[0][0], 3) is not tables[0][1]


async def test_signatures_of_removed_messages_do_not_pile_up(mailboxes: Mailboxes) -> None:
    raw = message()
    signature = sign(raw, parse(raw).root)
    table = mailboxes.signatures.table(AccountId(1), 10)  # type: ignore[arg-type]
    table.add((number, signature) for number in range(2_021))
    assert mailboxes.signatures.table(AccountId(1), 10) is not table  # type: ignore[arg-type]


async def test_a_delivery_writes_the_signature_with_the_message(mail: AccountMail) -> None:
    raw = message("x" * 50)
    await mail.append("INBOX", raw)
    view = await mail.select("INBOX")
    content_id = view.record(1).content_id
    found = await read(mail.database, [content_id])
    assert [tuple(row) for row in found] == [(content_id, sign(raw, parse(raw).root))]
    table = Table()
    table.add(found)
    table.add(found)
    assert len(table.slots) == 1
    view.close()


async def test_a_message_may_be_delivered_without_signature(mailboxes: Mailboxes, mail: AccountMail) -> None:
    raw = message("unsigned")
    made = digest(raw, searchable=False)
    content = await mailboxes.contents.pack(raw, made, trace_id(mailboxes.clock.now(), random.Random(1)))
    await place_content(mail.database, AccountId(1), "INBOX", 0, content, 0, "", 0)
    assert not await mail.database.query("SELECT content_id FROM signature")
    view = await mail.select("INBOX")
    assert await view.search(Text("unsigned")) == [1]
    assert await view.search(Text("signature")) == []
    view.close()
