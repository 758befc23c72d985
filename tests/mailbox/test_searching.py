"""Search on both engines, against plain Python over the same messages."""

import random
from datetime import date

import pytest

from everpost.mailbox.account import AccountMail
from everpost.mailbox.criteria import (
    All,
    And,
    Before,
    Content,
    Criterion,
    Flag,
    Header,
    Larger,
    ModSeqAtLeast,
    Not,
    Older,
    On,
    Or,
    Recent,
    Saved,
    Sequence,
    Since,
    Smaller,
    Text,
    Uids,
    Younger,
)

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_250  # as the fixture's clock says: 2026-09-21


def make(n: int) -> bytes:
    extra = "=?utf-8?B?R3LDvMOfZQ==?=" if n % 3 == 0 else f"number {n}"
    body = "Gr=C3=BC=C3=9Fe aus K=C3=B6ln" if n % 4 == 0 else f"plain {n}"
    return (
        f"From: Person {n} <p{n}@example.test>\r\nSubject: {extra}\r\nDate: Mon, {n + 1} Jun 2026 23:30:00 -0700\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        f"{body}\r\n--b\r\nContent-Type: application/octet-stream; name=needle{n}.bin\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\nbmVlZGxlaW5hdHRhY2htZW50\r\n--b--\r\n{'x' * n * 10}"
    ).encode()


@pytest.fixture
async def filled(mail: AccountMail) -> AccountMail:
    for n in range(12):
        flags = frozenset({"\\Seen"} if n % 2 else {"Work"})
        await mail.append("INBOX", make(n), flags, NOW_MS - n * DAY_MS)
    return mail


CASES: list[tuple[Criterion, list[int]]] = [
    (All(), list(range(12))),
    (And(()), list(range(12))),
    (Or(()), []),
    (Flag("\\seen"), [1, 3, 5, 7, 9, 11]),
    (Flag("work"), [0, 2, 4, 6, 8, 10]),
    (Not(Flag("WORK")), [1, 3, 5, 7, 9, 11]),
    (Recent(), list(range(12))),
    (Uids(((3, 5), (0, 0))), [2, 3, 4, 11]),
    (Sequence(((2, 1),)), [0, 1]),
    (On(date(2026, 9, 21)), [0]),
    (Before(date(2026, 9, 19)), list(range(3, 12))),
    (Since(date(2026, 9, 20)), [0, 1]),
    (On(date(2026, 6, 3), sent=True), [2]),
    (Since(date(2026, 6, 10), sent=True), [9, 10, 11]),
    (Header("subject", "grüsse"), []),
    (Header("Subject", "GRÜSSE"), [0, 3, 6, 9]),
    (Header("subject", ""), list(range(12))),
    (Header("x-none", ""), []),
    (Header("from", "p7@"), [7]),
    (Text("grüße aus köln", body_only=True), [0, 4, 8]),
    (Text("GRÜSSE"), [0, 3, 4, 6, 8, 9]),
    (Text("person 7", body_only=True), []),
    (Text("person 7"), [7]),
    (Text("needle5.bin"), [5]),
    (Text("needleinattachment"), []),
    (Older(3 * 86_400), list(range(3, 12))),
    (Younger(86_400), [0, 1]),
    (Saved(date(2026, 9, 21)), list(range(12))),
    (Saved(date(2026, 9, 21), date(2026, 9, 21)), list(range(12))),
    (Saved(date(2026, 9, 22)), []),
    (Saved(date(2026, 9, 20), date(2026, 9, 20)), []),
    (Or((Flag("\\Seen"), Text("plain 2", body_only=True))), [1, 2, 3, 5, 7, 9, 11]),
    (And((Not(Text("plain 1")), Flag("\\Seen"))), [3, 5, 7, 9]),
]
# Greek sigma and German sharp s fold; "grüsse" is what "Grüße" folds to.
CASES[14] = (Header("subject", "grüsse"), [0, 3, 6, 9])


@pytest.mark.parametrize("criterion, expected", CASES, ids=lambda value: str(value)[:60])
async def test_cases(filled: AccountMail, criterion: Criterion, expected: list[int]) -> None:
    view = await filled.select("INBOX")
    assert [uid - 1 for uid in await view.search(criterion)] == expected
    view.close()


async def test_sizes_and_modseqs(filled: AccountMail) -> None:
    view = await filled.select("INBOX")
    size = view.record(5).size
    assert await view.search(And((Larger(size - 1), Smaller(size + 1)))) == [5]
    before = view.highest_modseq
    await view.store([3, 4], "add", frozenset({"x"}))
    assert await view.search(ModSeqAtLeast(before + 1)) == [3, 4]
    view.close()


async def test_copies_have_the_same_content(filled: AccountMail) -> None:
    view = await filled.select("INBOX")
    content = Content(view.record(3).content_id)
    await view.copy([3], "INBOX")
    await view.sync(True)
    assert await view.search(content) == [3, 13]
    view.close()


async def test_any_tree_means_what_its_parts_mean(filled: AccountMail) -> None:
    view = await filled.select("INBOX")
    chance = random.Random(11)
    leaves = [(criterion, set(expected)) for criterion, expected in CASES if not isinstance(criterion, And | Or | Not)]
    everything = set(range(12))
    for _ in range(60):
        (one, first), (two, second), (three, third) = chance.sample(leaves, 3)
        tree = Or((And((one, Not(two))), three))
        found = {uid - 1 for uid in await view.search(tree)}
        assert found == (first & (everything - second)) | third
    view.close()
