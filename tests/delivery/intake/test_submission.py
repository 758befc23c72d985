import base64
import ssl

import pytest

from everpost.accounts.sasl.client import ScramClient, plain
from everpost.delivery.intake.door import Door
from everpost.delivery.intake.rate import Allowance, MemoryLimiter, RateLimits
from everpost.message.fields import Fields
from tests.delivery.client import Client
from tests.delivery.conftest import House, address
from tests.delivery.intake.conftest import Doors

PASSWORD = "a long password"
MESSAGE = b"From: Anna <anna@here.test>\r\nTo: x@far.test\r\nSubject: hi\r\n\r\nline\r\n"


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def under_tls(
    doors: Doors, door: Door | None = None, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> Client:
    client = await (await doors.open(door or doors.submission()))()
    await client.greet()
    await client.start_tls(newest)
    await client.say("EHLO client.test")
    return client


async def logged_in(doors: Doors, door: Door | None = None, user: str = "anna@here.test") -> Client:
    client = await under_tls(doors, door)
    assert (await client.say(f"AUTH PLAIN {coded(plain(user, PASSWORD))}")).startswith("235 2.7.0")
    return client


async def test_login_is_offered_under_tls_only(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await (await doors.open(doors.submission()))()
    assert "AUTH" not in await client.greet()
    assert (await client.say(f"AUTH PLAIN {coded(plain('anna@here.test', PASSWORD))}")).startswith("538")
    await client.start_tls()
    assert "AUTH SCRAM-SHA-256 PLAIN LOGIN" in await client.say("EHLO client.test")
    older = await (await doors.open(doors.submission()))()
    await older.greet()
    await older.start_tls(ssl.TLSVersion.TLSv1_2)
    assert "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" in await older.say("EHLO client.test")


async def test_nothing_without_login(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await under_tls(doors)
    assert (await client.mail("anna@here.test"))[0].startswith("530 5.7.0")
    assert (await client.say(f"AUTH PLAIN {coded(plain('anna@here.test', 'wrong'))}")).startswith("535 5.7.8")
    assert (await client.mail("anna@here.test"))[0].startswith("530 5.7.0")


@pytest.mark.parametrize("plus", [False, True])
async def test_scram(doors: Doors, house: House, plus: bool) -> None:
    await house.account("anna@here.test")
    client = await under_tls(doors, newest=ssl.TLSVersion.TLSv1_2)
    context = doors.certificates.context
    binding = ("tls-server-end-point", doors.certificates.end_point(context)) if plus else None
    scram = ScramClient("anna@here.test", PASSWORD, "abcdef", binding=binding)
    reply = await client.say(f"AUTH SCRAM-SHA-256{'-PLUS' if plus else ''} {coded(scram.first())}")
    assert reply.startswith("334 ")
    reply = await client.say(coded(scram.final(base64.b64decode(reply[4:]))))
    assert reply.startswith("334 ")
    scram.check(base64.b64decode(reply[4:]))
    assert (await client.say("")).startswith("235 2.7.0")
    assert (await client.mail("anna@here.test", "anna@here.test"))[1].startswith("250")


async def test_login_can_be_cancelled(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await under_tls(doors)
    assert await client.say("AUTH LOGIN") == "334 VXNlcm5hbWU6"
    assert (await client.say("*")).startswith("501 5.7.0")
    assert (await client.say(f"AUTH PLAIN {coded(plain('anna@here.test', PASSWORD))}")).startswith("235")


async def test_local_and_remote_recipients_in_one_transaction(doors: Doors, house: House) -> None:
    anna = await house.account("anna@here.test")
    await house.account("bert@here.test")
    client = await logged_in(doors)
    replies = await client.mail("anna@here.test", "bert@here.test", "x@far.test", "y@bücher.test", options=" SMTPUTF8")
    assert all(reply.startswith("250") for reply in replies)
    assert (await client.data(MESSAGE)).startswith("250")
    (raw,) = await house.mails("bert@here.test")
    assert b"with UTF8SMTPSA\r\n" in raw
    rows = await house.database.query(
        "SELECT destination, recipient, account_id, tenant_id FROM queue_entry ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        ("far.test", "x@far.test", anna.account_id, anna.tenant_id),
        ("xn--bcher-kva.test", "y@bücher.test", anna.account_id, anna.tenant_id),
    ]
    assert [tuple(row) for row in await house.database.query("SELECT refs FROM content")] == [(3,)]


async def test_only_addresses_of_ones_own(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    await house.directory.add_address(address("sales@here.test"), [address("anna@here.test")])
    client = await logged_in(doors)
    assert (await client.mail("bert@here.test"))[0].startswith("550 5.7.1")
    assert (await client.mail("x@far.test"))[0].startswith("550 5.7.1")
    for sender in ("sales@here.test", "anna+list@here.test", ""):
        assert (await client.mail(sender, "bert@here.test"))[1].startswith("250")
        await client.say("RSET")


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (b"From: bert@here.test\r\n", "550 5.7.1"),
        (b"From: anna@here.test, bert@here.test\r\n", "550 5.7.1"),
        (b"From: anna@here.test\r\nFrom: bert@here.test\r\n", "554 5.6.0"),
        (b"From: anna@here.test\r\nSender: bert@here.test\r\n", "550 5.7.1"),
        (b"From: undisclosed:;\r\n", "554 5.6.0"),
        (b"From: Group: anna@here.test, bert@here.test;\r\n", "550 5.7.1"),
        (b'From: "anna@here.test" <bert@here.test>\r\n', "550 5.7.1"),
        (b"From: anna@here.test (<bert@here.test>)\r\n", "250 2.0.0"),
        (b"From: anna\r\n", "550 5.7.1"),
        (b"From: \xff@here.test\r\n", "550 5.7.1"),
        (b"Subject: none\r\n", "554 5.6.0"),
        (b"\r\nFrom: anna@here.test\r\n", "554 5.6.0"),
        (b"FROM : Anna <sales@here.test>\r\nSender: anna@here.test\r\n", "250 2.0.0"),
    ],
)
async def test_the_author_must_be_the_account(doors: Doors, house: House, header: bytes, reply: str) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    await house.directory.add_address(address("sales@here.test"), [address("anna@here.test")])
    client = await logged_in(doors)
    await client.mail("anna@here.test", "bert@here.test")
    assert (await client.data(header + b"\r\nbody\r\n")).startswith(reply)


async def test_what_is_missing_is_added_and_blind_copies_are_removed(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    client = await logged_in(doors)
    await client.mail("anna@here.test", "bert@here.test")
    message = b"From: anna@here.test\r\nBcc: bert@here.test,\r\n c@far.test\r\nX-Odd:   kept \t \r\n\r\nBcc: body\r\n"
    assert (await client.data(message)).startswith("250")
    (raw,) = await house.mails("bert@here.test")
    fields = Fields.of(raw)
    assert fields.get("Date") == b"Fri, 15 Jan 2027 08:00:00 +0000"
    assert (fields.get("Message-ID") or b"").endswith(b"@mx.here.test>")
    assert "Bcc" not in fields
    assert raw.endswith(b"From: anna@here.test\r\nX-Odd:   kept \t \r\n\r\nBcc: body\r\n")


async def test_what_is_there_is_left_alone(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await logged_in(doors)
    await client.mail("anna@here.test", "anna@here.test")
    message = b"date: whenever\r\nMESSAGE-ID: <mine>\r\nFrom: anna@here.test\r\n\r\nbody\r\n"
    await client.data(message)
    (raw,) = await house.mails("anna@here.test")
    assert raw.endswith(b"+0000\r\n" + message)


async def test_an_account_has_its_rate(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    limits = RateLimits(messages=Allowance(2, 60), recipients=Allowance(3, 60))
    client = await logged_in(doors, doors.submission(MemoryLimiter(limits, house.clock)))
    replies = await client.mail("anna@here.test", *[f"{letter}@far.test" for letter in "abcd"])
    assert [reply[:9] for reply in replies[1:]] == ["250 2.1.5"] * 3 + ["450 4.7.1"]
    assert (await client.data(MESSAGE)).startswith("250")
    house.clock.advance(60)
    assert (await client.mail("anna@here.test", "a@far.test"))[1].startswith("250")


async def test_unknown_hosted_recipients_are_refused_at_once(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await logged_in(doors)
    assert (await client.mail("anna@here.test", "nobody@here.test"))[1].startswith("550 5.1.1")
