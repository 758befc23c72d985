"""SMTP in, IMAP and POP3 out: who gets what, and what is refused."""

import smtplib
from collections.abc import Callable

import pytest

from tests.e2e.mailing import User, a_message, a_subject, deliver, fetch, ok, untraced
from tests.servers.node import DOMAIN, Node
from tests.servers.processes import wait_until


def test_a_message_comes_out_as_it_went_in(node: Node, user: User) -> None:
    subject = a_subject()
    raw = a_message(user.address, subject)
    deliver(node, user.address, raw)
    by_imap = user.raw(subject)
    assert untraced(by_imap) == raw
    assert by_imap.startswith(b"Return-Path: <somebody@elsewhere.test>\r\n")
    with user.pop3() as client:
        assert client.stat() == (1, len(by_imap))
        lines = client.retr(1)[1]
    assert b"\r\n".join(lines) + b"\r\n" == by_imap


def test_it_is_there_for_any_worker_as_soon_as_250_is_said(node: Node, user: User) -> None:
    for number in range(20):
        deliver(node, user.address, a_message(user.address, f"at once {number}"))
        # Each login may meet another worker.
        assert len(user.subjects()) == number + 1


def test_several_recipients_get_a_copy_each(node: Node, another: Callable[[], User]) -> None:
    users = [another() for _ in range(4)]
    subject = a_subject()
    deliver(node, [user.address for user in users], a_message("all", subject))
    for user in users:
        assert user.subjects() == [subject]


def test_a_subaddress_reaches_its_account(node: Node, user: User) -> None:
    local, _, domain = user.address.partition("@")
    subject = a_subject()
    deliver(node, f"{local}+shopping@{domain}", a_message(user.address, subject))
    deliver(node, f"{local.upper()}@{domain.upper()}", a_message(user.address, subject + " again"))
    assert user.subjects() == [subject, subject + " again"]


def test_postmaster_always_has_a_place(node: Node) -> None:
    deliver(node, f"postmaster@{DOMAIN}", a_message("postmaster", a_subject()))
    deliver(node, "postmaster", a_message("postmaster", a_subject()))


def test_mail_to_nobody_is_refused_at_rcpt(node: Node) -> None:
    # The demo's catch-all takes any local part of its own domain, so a domain that is not hosted here.
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        deliver(node, "nobody@not-hosted.test", a_message("nobody", a_subject()))
    code, text = refused.value.recipients["nobody@not-hosted.test"]
    assert code == 550
    assert text.startswith(b"5.7.1 ")


def test_8bit_and_smtputf8_pass(node: Node, user: User) -> None:
    raw = a_message(user.address, "grüße 你好", text="äöü\r\n", sender="jürgen@elsewhere.test")
    with smtplib.SMTP("127.0.0.1", node.port("smtp"), timeout=30) as client:
        client.ehlo()
        assert client.has_extn("smtputf8")
        client.sendmail("jürgen@elsewhere.test", user.address, raw, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    with user.imap() as client:
        assert untraced(fetch(client, "1", "BODY.PEEK[]")[1]) == raw


def test_a_large_message_goes_through_the_blob_store(node: Node, user: User) -> None:
    subject = a_subject()
    raw = a_message(user.address, subject, text="".join(f"{number:070}\r\n" for number in range(60_000)))
    deliver(node, user.address, raw)
    assert untraced(user.raw(subject)) == raw


def test_a_message_over_the_limit_is_refused_by_its_announced_size(node: Node, user: User) -> None:
    with smtplib.SMTP("127.0.0.1", node.port("smtp"), timeout=30) as client:
        client.ehlo()
        limit = int(client.esmtp_features["size"])
        code, text = client.mail("somebody@elsewhere.test", [f"SIZE={limit + 1}"])
        assert code == 552
        assert text.startswith(b"5.3.4 ")
        assert client.mail("somebody@elsewhere.test", [f"SIZE={limit}"])[0] == 250


def test_an_idle_session_hears_of_new_mail_on_any_worker(node: Node, user: User) -> None:
    with user.imap() as client:
        tag = client._new_tag()  # imaplib of Python 3.11 knows no IDLE.
        client.send(tag + b" IDLE\r\n")
        assert client.readline().startswith(b"+")
        for number in range(1, 6):
            # Each delivery may meet another worker than the idle session's.
            deliver(node, user.address, a_message(user.address, a_subject()))
            line = b""
            while not line.startswith(b"* %d EXISTS" % number):
                line = client.readline()
                assert line, "the session ended"
        client.send(b"DONE\r\n")
        while not line.startswith(tag):
            line = client.readline()
            assert line, "the session ended"
        assert b" OK" in line


def test_two_sessions_see_each_others_changes(node: Node, user: User) -> None:
    for _ in range(3):
        deliver(node, user.address, a_message(user.address, a_subject()))
    with user.imap() as one, user.imap() as other:
        ok(one.store("1", "+FLAGS", r"(\Seen \Flagged)"))
        ok(one.store("2", "+FLAGS", r"(\Deleted)"))
        ok(one.expunge())

        def noticed() -> bool:
            ok(other.noop())
            return len(ok(other.search(None, "ALL"))[0].split()) == 2

        wait_until(noticed, 10, "the other session sees two messages")
        flags = ok(other.fetch("1", "(UID FLAGS)"))[0]
        assert b"\\Seen" in flags
        assert b"\\Flagged" in flags
        assert b"UID 3" in ok(other.fetch("2", "(UID)"))[0]


def test_deleting_by_pop3_shows_in_imap(node: Node, user: User) -> None:
    subjects = [a_subject() for _ in range(3)]
    for subject in subjects:
        deliver(node, user.address, a_message(user.address, subject))
    with user.pop3() as client:
        unique = [line.split()[1] for line in client.uidl()[1]]
        assert len(set(unique)) == 3
        client.dele(2)
        client.rset()
        client.dele(1)
        client.quit()
    assert user.subjects() == subjects[1:]
    with user.pop3() as client:
        # UIDLs stay the same over sessions.
        assert [line.split()[1] for line in client.uidl()[1]] == unique[1:]
        client.dele(1)
        client.close()  # Without QUIT nothing is deleted.
    assert user.subjects() == subjects[1:]
