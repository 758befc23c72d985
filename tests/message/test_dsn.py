"""Delivery status notifications, read again by Python's parser."""

import email
import email.message

import pytest

from everpost.message.dsn import About, Action, Report, compose
from everpost.message.parse import parse

ORIGINAL = b"Subject: hello\r\nFrom: ann@example.test\r\nMessage-ID: <1@example.test>\r\n\r\nthe body\r\n"


def report(action: Action = Action.FAILED, **changes: object) -> Report:
    about = {"recipient": "bob@remote.test", "status": "5.1.1", "text": "550 5.1.1 no such user"}
    about |= {"remote_host": "mx.remote.test", "from_peer": True, "orcpt": "rfc822;bob@remote.test"}
    about |= {name: changes.pop(name) for name in list(changes) if name in About.__dataclass_fields__}  # type: ignore[misc]
    values: dict[str, object] = {
        "action": action,
        "sender": "ann@example.test",
        "recipients": (About(**about),),  # type: ignore[arg-type]
        "reporting_host": "mail.example.test",
        "arrived_at": 1_700_000_000.0,
        "written_at": 1_700_003_600.0,
    }
    return Report(**(values | changes))  # type: ignore[arg-type]


def made(report: Report, original: bytes = ORIGINAL, *, full: bool = False) -> tuple[bytes, email.message.Message]:
    raw = compose(report, original, full=full, message_id="id@mail.example.test", boundary="=_unguessable")
    assert b"\n" not in raw.replace(b"\r\n", b"") and max(map(len, raw.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(raw)
    assert not any(part.defects for part in message.walk())
    return raw, message


def words(message: email.message.Message) -> str:
    payload = message.get_payload(0).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def test_failure() -> None:
    raw, message = made(report(envid="QQ314"))
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "delivery-status"
    assert message["To"] == "<ann@example.test>" and message["Auto-Submitted"] == "auto-replied"
    assert message["Message-ID"] == "<id@mail.example.test>" and message["Date"] == "Tue, 14 Nov 2023 23:13:20 +0000"
    assert [part.get_content_type() for part in message.get_payload()] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    # A person understands the first sentence, and learns why.
    assert words(message).startswith("Your message could not be delivered to bob@remote.test.\n")
    assert "mx.remote.test answered: 550 5.1.1 no such user" in words(message)
    overall, one = message.get_payload(1).get_payload()
    assert dict(overall) == {
        "Original-Envelope-Id": "QQ314",
        "Reporting-MTA": "dns; mail.example.test",
        "Arrival-Date": "Tue, 14 Nov 2023 22:13:20 +0000",
    }
    assert dict(one) == {
        "Original-Recipient": "rfc822; bob@remote.test",
        "Final-Recipient": "rfc822; bob@remote.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.remote.test",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
    }
    header = raw[parse(raw).root.children[2].body_start : parse(raw).root.children[2].body_end]
    assert header.startswith(b"Subject: hello\r\n") and b"the body" not in header


def test_failure_with_the_whole_message() -> None:
    raw, message = made(report(), full=True)
    assert message.get_payload(2).get_content_type() == "message/rfc822"
    part = parse(raw).root.children[2]
    assert raw[part.body_start : part.body_end] + b"\r\n" == ORIGINAL or raw[part.body_start :].startswith(ORIGINAL)


@pytest.mark.parametrize("original, full", [(ORIGINAL, True), (ORIGINAL, False), (b"", False)])
def test_it_says_what_is_attached(original: bytes, full: bool) -> None:
    _, message = made(report(), original, full=full)
    assert len(message.get_payload()) == (3 if original else 2)
    assert ("attached" in words(message)) == bool(original)
    assert ("header of it" in words(message)) == (bool(original) and not full)


def test_delay() -> None:
    _, message = made(report(Action.DELAYED, status="4.4.1", retry_until=1_700_400_000.0))
    text = words(message)
    assert text.startswith("Your message could not be delivered to bob@remote.test yet; you need not send it again.\n")
    assert "Delivery is tried again until Sun, 19 Nov 2023 13:20:00 +0000." in text
    one = message.get_payload(1).get_payload(1)
    assert one["Action"] == "delayed" and one["Will-Retry-Until"] == "Sun, 19 Nov 2023 13:20:00 +0000"


@pytest.mark.parametrize("action", [Action.DELIVERED, Action.RELAYED, Action.EXPANDED])
def test_good_news(action: Action) -> None:
    _, message = made(report(action, status="2.0.0", text="", remote_host="", from_peer=False, orcpt=""))
    assert "bob@remote.test" in words(message).partition("\n")[0]
    one = message.get_payload(1).get_payload(1)
    assert one["Action"] == action.value and "Diagnostic-Code" not in one and "Remote-MTA" not in one


def test_many_recipients() -> None:
    several = tuple(About(f"u{number}@r.test", "5.1.1", "no") for number in range(7))
    _, message = made(report(recipients=several[:3]))
    assert words(message).startswith("Your message could not be delivered to u0@r.test, u1@r.test and u2@r.test.\n")
    _, message = made(report(recipients=several))
    assert words(message).startswith("Your message could not be delivered to 7 recipients.\n")
    assert all(about.recipient in words(message) for about in several)
    assert len(message.get_payload(1).get_payload()) == 8


def test_addresses_that_are_not_ascii() -> None:
    raw, message = made(report(recipient="böb@remote.test", orcpt="utf-8;böb@remote.test"), full=True)
    parts = parse(raw).root.children
    assert [(part.type, part.subtype) for part in parts] == [
        ("text", "plain"),
        ("message", "global-delivery-status"),
        ("message", "rfc822"),
    ]
    status = raw[parts[1].body_start : parts[1].body_end].decode()
    assert "Final-Recipient: utf-8; böb@remote.test\r\n" in status
    assert "Original-Recipient: utf-8; böb@remote.test\r\n" in status
    assert parts[1].encoding == "8bit" and parse(raw).root.encoding == "8bit"
    assert "böb@remote.test" in words(message).partition("\n")[0]


def test_headers_that_are_not_ascii() -> None:
    original = "Subject: grün\r\n\r\nx\r\n".encode()
    for full, kind in ((True, "global"), (False, "global-headers")):
        raw, _ = made(report(), original, full=full)
        part = parse(raw).root.children[2]
        assert (part.type, part.subtype, part.encoding) == ("message", kind, "8bit")


def test_what_remote_hosts_say_breaks_nothing() -> None:
    text = "550 nö\r\nBcc: x\r\n\r\n\0" + "long " * 2000
    raw, message = made(report(text=text, sender="ann@example.test"))
    status = raw[parse(raw).root.children[1].body_start : parse(raw).root.children[1].body_end]
    # The form for ASCII addresses is 7-bit.
    assert status.isascii() and b"\r\nBcc" not in status
    assert message.get_payload(1).get_payload(1)["Diagnostic-Code"].startswith("smtp; 550 n? Bcc: x")
    assert "nö" in words(message)
