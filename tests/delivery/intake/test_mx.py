from everpost.message.fields import Fields
from tests.delivery.client import Client
from tests.delivery.conftest import House, address
from tests.delivery.intake.conftest import Doors

MESSAGE = b"From: a@far.test\r\nSubject: hi\r\n\r\nline\r\n.dot\r\n"


async def connected(doors: Doors, **more: object) -> Client:
    client = await (await doors.open(doors.mx(**more)))()
    await client.greet()
    return client


async def test_a_message_is_kept_byte_for_byte_below_its_trace_fields(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await connected(doors)
    assert [reply[:9] for reply in await client.mail("a@far.test", "anna@here.test")] == ["250 2.1.0", "250 2.1.5"]
    reply = await client.data(MESSAGE)
    assert reply.startswith("250 2.0.0 kept as ")
    (raw,) = await house.mails("anna@here.test")
    assert raw.endswith(MESSAGE)
    names = [name for name, _ in Fields(raw).items()]
    assert names == [b"Return-Path", b"Received", b"From", b"Subject"]
    received = Fields(raw).get("Received") or b""
    assert received.startswith(b"from client.test ([127.0.0.1])\tby mx.here.test with ESMTP\tid ")
    assert b"for <anna@here.test>;" in received
    assert reply.rpartition(" ")[2].encode() in received
    assert raw.startswith(b"Return-Path: <a@far.test>\r\n")


async def test_over_tls_the_trace_says_so(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await (await doors.open(doors.mx()))()
    assert "STARTTLS" in await client.greet()
    await client.start_tls()
    assert "STARTTLS" not in await client.say("EHLO client.test")
    await client.mail("", "anna@here.test")
    assert (await client.data(MESSAGE)).startswith("250")
    (raw,) = await house.mails("anna@here.test")
    assert raw.startswith(b"Return-Path: <>\r\n")
    assert b"with ESMTPS\r\n" in raw
    assert b"(using TLSv1.3 with cipher " in raw


async def test_who_is_served(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.account("off@here.test")
    await house.directory.set_active(address("off@here.test"), False)
    await house.directory.add_address(address("a@here.test"), [address("b@here.test")])
    await house.directory.add_address(address("b@here.test"), [address("a@here.test")])
    client = await connected(doors)
    recipients = ("Anna+x@HERE.test", "postmaster", "no@here.test", "off@here.test", "x@far.test", "a@here.test")
    replies = await client.mail("a@far.test", *recipients)
    assert [reply[:9] for reply in replies] == [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.1.5",
        "550 5.1.1",
        "550 5.2.1",
        "550 5.7.1",
        "451 4.4.6",
    ]
    assert (await client.data(MESSAGE)).startswith("250")
    assert len(await house.mails("anna@here.test")) == 1


async def test_a_message_to_several_is_in_every_mailbox_once(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    await house.directory.add_address(address("all@here.test"), [address("anna@here.test"), address("bert@here.test")])
    client = await connected(doors)
    await client.mail("a@far.test", "all@here.test", "anna@here.test", "bert+x@here.test")
    assert (await client.data(MESSAGE)).startswith("250")
    (anna,), (bert,) = await house.mails("anna@here.test"), await house.mails("bert@here.test")
    assert anna == bert
    assert b"for <" not in anna
    rows = await house.database.query("SELECT refs FROM content")
    assert [tuple(row) for row in rows] == [(2,)]


async def test_a_full_mailbox_is_told_at_rcpt_and_a_larger_message_never_fits(doors: Doors, house: House) -> None:
    await house.account("small@here.test", quota=2000)
    client = await connected(doors)
    assert (await client.mail("a@far.test", "small@here.test", options=" SIZE=3000"))[1].startswith("552 5.2.2")
    await client.say("RSET")
    await client.mail("a@far.test", "small@here.test")
    assert (await client.data(MESSAGE + b"x" * 1500 + b"\r\n")).startswith("250")
    replies = await client.mail("a@far.test", "small@here.test", options=" SIZE=1000")
    assert replies[1].startswith("452 4.2.2")


async def test_at_the_commit_the_quota_counts_whatever_was_announced(doors: Doors, house: House) -> None:
    await house.account("small@here.test", quota=2000)
    client = await connected(doors)
    await client.mail("a@far.test", "small@here.test")
    assert (await client.data(MESSAGE + b"x" * 5000 + b"\r\n")).startswith("552 5.2.2")
    await client.mail("a@far.test", "small@here.test")
    assert (await client.data(MESSAGE + b"x" * 1000 + b"\r\n")).startswith("250")
    await client.mail("a@far.test", "small@here.test")
    assert (await client.data(MESSAGE + b"x" * 1000 + b"\r\n")).startswith("452 4.2.2")
    assert len(await house.mails("small@here.test")) == 1


async def test_circles_are_cut(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.directory.add_address(address("fwd@here.test"), [address("x@far.test")])
    client = await connected(doors)
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(b"Received: from x by y; z\r\n" * 100 + MESSAGE)).startswith("554 5.4.6")
    await client.mail("a@far.test", "fwd@here.test")
    assert (await client.data(b"delivered-to: Fwd@Here.test\r\n" + MESSAGE)).startswith("554 5.4.6")
    await house.directory.add_address(address("list@here.test"), [address("fwd@here.test"), address("anna@here.test")])
    await client.mail("a@far.test", "list@here.test")
    assert (await client.data(b"Delivered-To: fwd@here.test\r\n" + MESSAGE)).startswith("554 5.4.6")
    # An address that keeps mail here cannot be part of a circle.
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(b"Delivered-To: anna@here.test\r\n" + MESSAGE)).startswith("250")


async def test_notices_have_one_recipient_each(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    client = await connected(doors)
    replies = await client.mail("", "anna@here.test", "bert@here.test")
    assert replies[2].startswith("452 4.5.3")


async def test_a_forward_enters_the_queue_with_the_senders_wishes(doors: Doors, house: House) -> None:
    await house.directory.add_address(address("fwd@here.test"), [address("x@far.test")])
    client = await connected(doors)
    replies = await client.mail(
        "a@from.test", "fwd@here.test NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;old+40x", options=" RET=HDRS ENVID=id+2B1"
    )
    assert all(reply.startswith("250") for reply in replies)
    assert (await client.data(MESSAGE)).startswith("250 2.0.0 queued as ")
    rows = await house.database.query(
        """SELECT destination, reverse_path, recipient, forwarded_by, notify, orcpt, ret, envid, account_id
           FROM queue_entry"""
    )
    assert [tuple(row) for row in rows] == [
        (
            "far.test",
            "a@from.test",
            "x@far.test",
            "fwd@here.test",
            "FAILURE,SUCCESS",
            "rfc822;old@x",
            "HDRS",
            "id+1",
            None,
        )
    ]


async def test_international_addresses(doors: Doors, house: House) -> None:
    await house.directory.add_domain("bücher.test")
    await house.account("łukasz@bücher.test")
    client = await connected(doors)
    assert (await client.mail("a@far.test", "łukasz@bücher.test"))[1].startswith("553 5.6.7")
    await client.say("RSET")
    replies = await client.mail("ä@far.test", "łukasz@bücher.test", options=" SMTPUTF8")
    assert all(reply.startswith("250") for reply in replies)
    assert (await client.data(MESSAGE)).startswith("250")
    (raw,) = await house.mails("łukasz@bücher.test")
    assert raw.startswith("Return-Path: <ä@far.test>\r\n".encode())
    assert b"with UTF8SMTP\r\n" in raw


async def test_chunks_and_pipelining(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await connected(doors)
    half = len(MESSAGE) // 2
    client.write(
        b"MAIL FROM:<a@far.test>\r\nRCPT TO:<anna@here.test>\r\n"
        + b"BDAT %d\r\n" % half
        + MESSAGE[:half]
        + b"BDAT %d LAST\r\n" % (len(MESSAGE) - half)
        + MESSAGE[half:]
    )
    assert [(await client.read())[:3] for _ in range(4)] == ["250"] * 4
    (raw,) = await house.mails("anna@here.test")
    assert raw.endswith(MESSAGE)


async def test_nothing_of_a_forgotten_transaction_is_left(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    await house.account("bert@here.test")
    client = await connected(doors)
    await client.mail("a@far.test", "anna@here.test")
    await client.say("RSET")
    await client.mail("b@far.test", "bert@here.test")
    assert (await client.data(MESSAGE)).startswith("250")
    assert await house.mails("anna@here.test") == []
    assert len(await house.mails("bert@here.test")) == 1


async def test_a_header_nobody_needs_is_refused(doors: Doors, house: House) -> None:
    await house.account("anna@here.test")
    client = await connected(doors)
    await client.mail("a@far.test", "anna@here.test")
    assert (await client.data(b"X: y\r\n" * 100_000 + MESSAGE)).startswith("552 5.3.4")
