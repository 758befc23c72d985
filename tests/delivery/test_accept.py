import pytest

from everpost.core.address import Address
from everpost.delivery.accept import Acceptor, MailboxFull, NeverFits, NotNow
from everpost.delivery.bounces import Bounces
from everpost.delivery.envelope import Recipient, Sender
from everpost.delivery.plan import Refusal
from everpost.message.fields import Fields
from everpost.store.ports import OutcomeUnknown, StoreUnavailable
from tests.delivery.conftest import House, address

RAW = b"From: anna@here.test\r\nSubject: secret plans\r\n\r\nthe body\r\n"
ANNA = Sender(address("anna@here.test"))


def acceptor(house: House, **more: object) -> Acceptor:
    bounces = Bounces(house.router, house.contents, house.clock, house.chance, "mx.here.test")
    return Acceptor(
        house.database,
        house.contents,
        house.deliverer,
        bounces,
        house.feed,
        house.clock,
        house.chance,
        **more,  # type: ignore[arg-type]
    )


async def to(house: House, *texts: str, notify: str = "", orcpt: str = "") -> list[Recipient]:
    return [Recipient(address(text), await house.router.route(address(text)), notify, orcpt) for text in texts]


async def count(house: House, table: str) -> int:
    return int((await house.database.query(f"SELECT COUNT(*) FROM {table}"))[0][0])


async def test_one_full_mailbox_among_several_is_told_to_the_sender(house: House) -> None:
    await house.account("anna@here.test", quota=10)
    await house.account("bert@here.test")
    await house.account("full@here.test", quota=70)
    recipients = await to(house, "bert@here.test", "full@here.test", "far@far.test")
    accepted = await acceptor(house).accept(ANNA, recipients, RAW * 2, "T1")
    assert (accepted.local, accepted.remote, accepted.refused) == (1, 1, 1)
    assert len(await house.mails("bert@here.test")) == 1
    assert await house.mails("full@here.test") == []
    (notice,) = await house.mails("anna@here.test")
    assert notice.startswith(b"Return-Path: <>\r\n")
    assert b"Final-Recipient: rfc822; full@here.test" in notice
    assert b"Status: 5.2.2" in notice
    assert b"secret plans" in notice
    assert b"the body" not in notice
    assert await count(house, "content") == 2
    assert await count(house, "queue_entry") == 1


async def test_a_full_mailbox_with_nobody_to_tell_puts_all_off(house: House) -> None:
    await house.account("bert@here.test")
    await house.account("full@here.test", quota=70)
    recipients = await to(house, "bert@here.test", "full@here.test")
    with pytest.raises(MailboxFull):
        await acceptor(house).accept(Sender(None), recipients, RAW * 2, "T1")
    assert await count(house, "content") == await count(house, "message") == 0


async def test_all_full(house: House) -> None:
    await house.account("full@here.test", quota=70)
    await house.account("more@here.test", quota=70)
    recipients = await to(house, "full@here.test", "more@here.test")
    with pytest.raises(NeverFits):
        await acceptor(house).accept(ANNA, recipients, RAW * 2, "T1")
    await acceptor(house).accept(ANNA, recipients, RAW, "T2")
    with pytest.raises(MailboxFull):
        await acceptor(house).accept(ANNA, recipients, RAW, "T3")
    assert await count(house, "content") == 1


async def test_a_refused_bulky_message_leaves_no_blob(house: House) -> None:
    await house.account("full@here.test", quota=70)
    bulky = RAW + bytes(house.chance.getrandbits(8) | 64 for _ in range(100_000))
    for text in (["full@here.test"], ["full@here.test", "full@here.test"]):
        with pytest.raises(NeverFits):
            await acceptor(house).accept(ANNA, await to(house, *text), bulky, f"T{len(text)}")
    assert house.blobs.held == {}


async def test_refusals_and_dead_targets_are_told_unless_unwanted(house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    targets = [address("bert@here.test"), address("nobody@here.test")]
    await house.directory.add_address(address("team@here.test"), targets)
    (looping,) = await to(house, "loop@far.test")
    refusals = [Refusal(looping, "5.4.6", "it goes in circles")]
    await acceptor(house).accept(ANNA, await to(house, "team@here.test"), RAW, "T1", refusals)
    (notice,) = await house.mails("anna@here.test")
    assert notice.count(b"Action: failed") == 2
    assert b"Final-Recipient: rfc822; team@here.test" in notice
    assert b"Status: 5.4.6" in notice
    await acceptor(house).accept(ANNA, await to(house, "team@here.test", notify="NEVER"), RAW, "T2")
    assert len(await house.mails("anna@here.test")) == 1
    assert len(await house.mails("bert@here.test")) == 2


async def test_success_is_told_on_demand(house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    sender = Sender(address("anna@here.test"), ret="FULL", envid="QQ 1")
    recipients = await to(house, "bert@here.test", notify="FAILURE,SUCCESS", orcpt="rfc822;bert@old.test")
    await acceptor(house).accept(sender, recipients, RAW, "T1")
    (notice,) = await house.mails("anna@here.test")
    assert b"Action: delivered" in notice
    assert b"Status: 2.0.0" in notice
    assert b"Original-Envelope-Id: QQ 1" in notice
    assert b"Original-Recipient: rfc822; bert@old.test" in notice
    assert b"the body" not in notice


async def test_notices_to_senders_elsewhere_enter_the_queue_and_answer_nobody(house: House) -> None:
    await house.account("bert@here.test")
    recipients = await to(house, "bert@here.test", notify="SUCCESS")
    await acceptor(house).accept(Sender(address("x@far.test")), recipients, RAW, "T1")
    rows = await house.database.query("SELECT reverse_path, recipient, destination, notify FROM queue_entry")
    assert [tuple(row) for row in rows] == [("", "x@far.test", "far.test", "NEVER")]
    await acceptor(house).accept(Sender(None), recipients, RAW, "T2")
    await acceptor(house).accept(Sender(address("nobody@here.test")), recipients, RAW, "T3")
    assert await count(house, "queue_entry") == 1
    assert len(await house.mails("bert@here.test")) == 3


async def test_the_notice_reaches_people_with_international_addresses(house: House) -> None:
    await house.directory.add_domain("bücher.test")
    await house.account("łukasz@bücher.test")
    await house.account("bert@here.test")
    sender = Sender(address("łukasz@bücher.test"), smtputf8=True)
    await acceptor(house).accept(sender, await to(house, "bert@here.test", notify="SUCCESS"), RAW, "T1")
    (notice,) = await house.mails("łukasz@bücher.test")
    assert Fields.of(notice).get("To") == "<łukasz@bücher.test>".encode()


@pytest.mark.parametrize("texts", [["bert@here.test"], ["bert@here.test", "carl@here.test", "x@far.test"]])
async def test_a_lost_answer_to_the_commit_does_not_make_two_of_it(
    house: House, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.account("bert@here.test")
    await house.account("carl@here.test")
    for method in ("write", "statement"):
        original = getattr(house.database, method)
        lost = iter([True])

        async def once(*args: object, original=original, lost=lost) -> object:  # type: ignore[no-untyped-def]
            result = await original(*args)
            if next(lost, False):
                raise OutcomeUnknown("lost")
            return result

        monkeypatch.setattr(house.database, method, once)
    await acceptor(house).accept(ANNA, await to(house, *texts), RAW, "T1")
    assert len(await house.mails("bert@here.test")) == 1
    assert await count(house, "content") == 1
    assert await count(house, "queue_entry") == len(texts) // 3


async def test_when_the_store_stays_away_nothing_is_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.account("bert@here.test")
    recipients = await to(house, "bert@here.test", "x@far.test")

    async def away(*_: object) -> object:
        house.clock.advance(31)
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(house.database, "write", away)
        with pytest.raises(NotNow):
            await acceptor(house).accept(ANNA, recipients, RAW, "T1")
    assert await count(house, "content") == 0


async def test_the_queue_is_woken_after_the_commit(house: House) -> None:
    woken: list[int] = []
    house.feed.subscribe("queue", woken.append)
    await acceptor(house).accept(ANNA, await to(house, "x@far.test"), RAW, "T1")
    assert woken == [0]


async def test_a_quoted_local_part_keeps_its_quotes_in_the_queue(house: House) -> None:
    odd = Address.parse('"a b"@far.test')
    recipient = Recipient(odd, await house.router.route(odd))
    await acceptor(house).accept(ANNA, [recipient], RAW, "T1")
    rows = await house.database.query("SELECT recipient FROM queue_entry")
    assert rows[0][0] == '"a b"@far.test'
