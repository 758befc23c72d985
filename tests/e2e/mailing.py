"""Sending and reading by Python's own clients, and small mail to do it with."""

import imaplib
import itertools
import poplib
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.node import Node
from tests.servers.processes import wait_until

SENDER = "somebody@elsewhere.test"
# Mail is there when 250 has been said; another worker's session may hear of it a little later.
ARRIVAL_SECONDS = 10.0

# What a node may put before a message it takes in (RFC 5321 section 4.4, RFC 8601).
_TRACE = re.compile(
    rb"((Return-Path|Received|Authentication-Results|Received-SPF):[^\r\n]*\r\n([ \t][^\r\n]*\r\n)*)*", re.IGNORECASE
)

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class User:
    """An account of a node."""

    node: Node
    address: str
    password: str

    @contextmanager
    def imap(self, *, select: str | None = "INBOX") -> Iterator[imaplib.IMAP4]:
        """A session under TLS that has logged in."""
        with imaplib.IMAP4_SSL(
            "localhost", self.node.port("imaps"), ssl_context=trusting(self.node), timeout=30
        ) as client:
            client.login(self.address, self.password)
            if select is not None:
                ok(client.select(select))
            yield client

    @contextmanager
    def pop3(self) -> Iterator[poplib.POP3]:
        """A session under TLS that has logged in."""
        client = poplib.POP3_SSL("localhost", self.node.port("pop3s"), context=trusting(self.node), timeout=30)
        try:
            client.user(self.address)
            client.pass_(self.password)
            yield client
        finally:
            client.close()

    def subjects(self, folder: str = "INBOX") -> list[str]:
        """The subjects of a folder's messages in its order."""
        with self.imap(select=folder) as client:
            # By UID, for an empty mailbox has no sequence number 1.
            parts = ok(client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER])"))
            return [subject_of(part[1]) for part in parts if isinstance(part, tuple)]

    def flags(self, subject: str, folder: str = "INBOX") -> set[str]:
        """The flags of the message with this subject."""
        with self.imap(select=folder) as client:
            (number,) = ok(client.search(None, "SUBJECT", f'"{subject}"'))[0].split()
            answer = ok(client.fetch(number.decode(), "(FLAGS)"))[0]
            return {flag.decode() for flag in imaplib.ParseFlags(answer)}

    def raw(self, subject: str, folder: str = "INBOX") -> bytes:
        """The message with this subject."""
        with self.imap(select=folder) as client:
            (number,) = ok(client.search(None, "SUBJECT", f'"{subject}"'))[0].split()
            return fetch(client, number.decode(), "BODY.PEEK[]")[int(number)]

    def wait_for(self, subject: str, folder: str = "INBOX") -> None:
        """Wait until a message with this subject is there."""
        wait_until(lambda: subject in self.subjects(folder), ARRIVAL_SECONDS, f"{subject} is in {folder}", pause=0.1)


def trusting(node: Node) -> ssl.SSLContext:
    """A client's TLS context that trusts the node's self-signed certificate, and checks name and signature."""
    return ssl.create_default_context(cafile=str(node.certificate))


def ok(answer: tuple[str, list]) -> list:  # type: ignore[type-arg]
    """The data of imaplib's answer. Raises AssertionError unless it is OK."""
    assert answer[0] == "OK", answer
    return answer[1]


def fetch(client: imaplib.IMAP4, numbers: str, item: str) -> dict[int, bytes]:
    """A literal item of each message by its sequence number."""
    parts = ok(client.fetch(numbers, f"({item})"))
    return {int(part[0].split()[0]): part[1] for part in parts if isinstance(part, tuple)}


def subject_of(raw: bytes) -> str:
    """The subject, unfolded; empty if there is none."""
    found = re.search(rb"^Subject:[ \t]*(.*?)\r?\n(?![ \t])", raw, re.MULTILINE | re.DOTALL | re.IGNORECASE)
    return re.sub(rb"\r?\n", b"", found.group(1)).decode() if found else ""


def a_subject() -> str:
    """One that no other message has."""
    return f"message number {next(_numbers)}"


def a_message(to: str, subject: str, *, sender: str = SENDER, text: str = "Hello\r\n.\r\n..\r\nbye\r\n") -> bytes:
    """A small message; its text has lines that are dots."""
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
        f"Message-ID: <{subject.replace(' ', '-')}@elsewhere.test>\r\n\r\n{text}"
    ).encode()


def deliver(
    node: Node, to: str | list[str], raw: bytes, *, sender: str = SENDER, options: tuple[str, ...] = ()
) -> None:
    """Deliver by SMTP as another host would. Raises smtplib's errors."""
    with smtplib.SMTP("127.0.0.1", node.port("smtp"), local_hostname="client.elsewhere.test", timeout=30) as client:
        client.sendmail(sender, to, raw, mail_options=options)


def untraced(raw: bytes) -> bytes:
    """A message without the trace fields before it."""
    found = _TRACE.match(raw)
    assert found is not None
    return raw[found.end() :]
