"""Submission to recipients elsewhere: `everpost serve` with the fake internet around it."""

import email
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.mailing import User, a_message, a_subject, deliver, ok, trusting
from tests.servers.node import DOMAIN, PASSWORD, Node
from tests.servers.postgres import PostgresServer
from tests.servers.processes import wait_until
from tests.world.internet import World

WORKERS = 3
NOTICE_SECONDS = 30.0


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world(engine: str) -> Iterator[World]:
    """An internet of its own for each engine's node."""
    with World() as made:
        yield made


@pytest.fixture(scope="module")
def node(engine: str, world: World, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node that asks the fake DNS and sends to the fake internet's port."""
    url = None
    if engine == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    host, port = world.dns.address
    settings = {"dns": {"servers": [f"{host}:{port}"]}, "queue": {"port": world.smtp_port}}
    started = Node(url, users=3, workers=WORKERS, settings=settings)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def sender(node: Node) -> User:
    return User(node, node.address(0), PASSWORD)


@contextmanager
def submission(user: User) -> Iterator[smtplib.SMTP]:
    """A session under TLS that has logged in."""
    with smtplib.SMTP("localhost", user.node.port("submission"), timeout=30) as client:
        client.starttls(context=trusting(user.node))
        client.login(user.address, user.password)
        yield client


def submit(user: User, to: list[str], raw: bytes) -> None:
    with submission(user) as client:
        assert client.sendmail(user.address, to, raw) == {}


def notice(user: User, about: str) -> str:
    """The machine-readable part of the notice about a recipient, once it has come."""
    found: list[str] = []

    def came() -> bool:
        with user.imap() as client:
            for part in ok(client.uid("FETCH", "1:*", "(BODY.PEEK[])")):
                if isinstance(part, tuple):
                    message = email.message_from_bytes(part[1])
                    if message.get_content_type() == "multipart/report" and about in message.as_string():
                        found.append(message.get_payload()[1].as_string())
        return bool(found)

    wait_until(came, NOTICE_SECONDS, f"a notice about {about}", pause=0.2)
    return found[0]


def waiting(node: Node, domain: str) -> list[dict[str, Any]]:
    """The queue's entries for a domain."""
    entries: list[dict[str, Any]] = node.command("queue", "list", "--destination", domain)
    return entries


def retry(node: Node, domain: str) -> None:
    """Have what waits for a domain tried now."""
    node.command("queue", "retry", *(str(entry["queue_id"]) for entry in waiting(node, domain)))


def test_one_submission_reaches_local_and_remote_recipients(node: Node, world: World, sender: User) -> None:
    friend = world.remote("friend.test")
    subject = a_subject()
    local = User(node, node.address(1), PASSWORD)
    raw = a_message("all", subject, sender=sender.address)
    submit(sender, [local.address, "bob@friend.test", "eve@friend.test"], raw)
    # Local recipients have it when the submission has been answered.
    assert subject in local.subjects()
    (message,) = world.wait(friend, 1)
    assert message.reverse_path == sender.address
    assert set(message.recipients) == {"bob@friend.test", "eve@friend.test"}
    assert message.raw.endswith(raw[raw.index(b"\r\n\r\n") :])
    assert f"\r\nSubject: {subject}\r\n".encode() in message.raw
    assert message.tls
    assert not friend.faults


def test_a_forward_leaves_with_the_original_sender(node: Node, world: World) -> None:
    elsewhere = world.remote("elsewhere.test")
    subject = a_subject()
    deliver(node, f"forward@{DOMAIN}", a_message("forward", subject), sender="somebody@third.test")
    (message,) = world.wait(elsewhere, 1)
    assert message.recipients == ("someone@elsewhere.test",)
    assert f"Subject: {subject}\r\n".encode() in message.raw
    assert not elsewhere.faults


def test_what_is_refused_elsewhere_comes_back_as_a_notice(node: Node, world: World, sender: User) -> None:
    strict = world.remote("strict.test")
    strict.answer("RCPT", "550 5.1.1 no such user here", when="nobody@")
    subject = a_subject()
    submit(sender, ["nobody@strict.test", "somebody@strict.test"], a_message("both", subject, sender=sender.address))
    world.wait(strict, 1)
    report = notice(sender, "nobody@strict.test")
    assert "Action: failed" in report
    assert "Status: 5.1.1" in report
    assert "no such user here" in report
    assert strict.received[0].recipients == ("somebody@strict.test",)


@pytest.mark.parametrize(
    ("domain", "status"), [("gone.test", "5.1.2"), ("takes-no-mail.test", "5.1.10")], ids=["NXDOMAIN", "null MX"]
)
def test_domains_without_mail_come_back_as_a_notice(world: World, sender: User, domain: str, status: str) -> None:
    world.dns.add("takes-no-mail.test", "MX", "0 .")
    submit(sender, [f"bob@{domain}"], a_message("bob", a_subject(), sender=sender.address))
    assert f"Status: {status}" in notice(sender, f"bob@{domain}")


def test_a_domain_without_mx_is_reached_by_its_address(world: World, sender: User) -> None:
    plain = world.remote("plain.test", tls=False)
    world.dns.remove("plain.test", "MX")
    world.dns.add("plain.test", "A", plain.host)
    submit(sender, ["bob@plain.test"], a_message("bob", a_subject(), sender=sender.address))
    (message,) = world.wait(plain, 1)
    assert not message.tls
    assert not plain.faults


def test_the_next_mx_is_tried_when_the_first_is_down(world: World, sender: User) -> None:
    backup = world.remote("backed-up.test")
    world.dns.add("dead.backed-up.test", "A", "127.77.77.77")
    world.dns.add("backed-up.test", "MX", "5 dead.backed-up.test.")
    submit(sender, ["bob@backed-up.test"], a_message("bob", a_subject(), sender=sender.address))
    world.wait(backup, 1)


def test_a_broken_starttls_falls_back_to_plain(world: World, sender: User) -> None:
    broken = world.remote("broken-tls.test")
    broken.drop("HANDSHAKE")
    submit(sender, ["bob@broken-tls.test"], a_message("bob", a_subject(), sender=sender.address))
    (message,) = world.wait(broken, 1)
    assert not message.tls


def test_a_deferred_message_is_shown_and_sent_on_demand(node: Node, world: World, sender: User) -> None:
    busy = world.remote("busy.test")
    busy.answer("RCPT", "451 4.7.1 come back later", times=1)
    submit(sender, ["bob@busy.test"], a_message("bob", a_subject(), sender=sender.address))
    wait_until(lambda: [entry["attempts"] for entry in waiting(node, "busy.test")] == [1], 20, "one attempt is over")
    (entry,) = waiting(node, "busy.test")
    assert "come back later" in entry["last_reply"]
    retry(node, "busy.test")
    world.wait(busy, 1)
    wait_until(lambda: not waiting(node, "busy.test"), 20, "the queue is empty")


def test_a_queue_outlives_the_node(node: Node, world: World, sender: User) -> None:
    away = world.remote("away.test")
    world.stop(away)
    subjects = [a_subject() for _ in range(5)]
    for subject in subjects:
        submit(sender, ["bob@away.test"], a_message("bob", subject, sender=sender.address))
    node.kill()
    world.start(away)
    node.start()
    retry(node, "away.test")
    received = world.wait(away, len(subjects), timeout=60)
    sent = [next(subject for subject in subjects if f"Subject: {subject}\r\n".encode() in one.raw) for one in received]
    assert sorted(sent) == sorted(subjects)
