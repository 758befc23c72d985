"""A node as processes: workers that die come back, SIGHUP renews, SIGTERM drains."""

import imaplib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from everpost.net.tls import self_signed
from tests.servers.node import Node
from tests.servers.processes import wait_until

MESSAGE = b"From: a@elsewhere.test\r\nTo: user0@example.test\r\nSubject: late\r\n\r\nstill here\r\n"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    started = Node(workers=2, users=1)
    started.start()
    yield started
    started.stop()


class Smtp:
    """A session that says what it is told to."""

    def __init__(self, node: Node) -> None:
        self.socket = socket.create_connection(("127.0.0.1", node.port("smtp")), timeout=30)
        self.file = self.socket.makefile("rb")
        self.answer()

    def answer(self) -> bytes:
        """The last line of a reply; empty at the end of the connection."""
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line

    def say(self, line: bytes) -> bytes:
        self.socket.sendall(line + b"\r\n")
        return self.answer()

    def begin_data(self) -> None:
        assert self.say(b"EHLO client.test").startswith(b"250")
        assert self.say(b"MAIL FROM:<a@elsewhere.test>").startswith(b"250")
        assert self.say(b"RCPT TO:<user0@example.test>").startswith(b"250")
        assert self.say(b"DATA").startswith(b"354")


def metric(node: Node, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{node.port('http')}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def deliver(node: Node) -> None:
    client = Smtp(node)
    client.begin_data()
    assert client.say(MESSAGE + b".").startswith(b"250")
    client.socket.close()


def served_certificate(node: Node, service: str) -> bytes | None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", node.port(service)), timeout=10) as plain,
        context.wrap_socket(plain) as tls,
    ):
        return tls.getpeercert(binary_form=True)


def test_a_killed_worker_comes_back_and_its_counts_stay(node: Node) -> None:
    for _ in range(5):
        deliver(node)
    counted = metric(node, "everpost_delivery_messages_accepted_total")
    assert counted >= 5
    before = set(node.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(node.workers()) == 2 and not before & set(node.workers()), 30, "two new workers")
    node.wait_ready()
    assert metric(node, "everpost_delivery_messages_accepted_total") == counted
    assert node.log.count('"event":"worker.died"') >= 2


def test_health_is_told(node: Node) -> None:
    for page in ("live", "ready"):
        with urllib.request.urlopen(f"http://127.0.0.1:{node.port('http')}/health/{page}", timeout=10) as answer:
            assert answer.status == 200


def test_hup_brings_a_new_certificate_without_ending_sessions(node: Node) -> None:
    old = {service: served_certificate(node, service) for service in ("imaps", "submissions", "https")}
    session = Smtp(node)
    certificate, key = self_signed(["localhost", "mail.example.test"], 1_790_000_000)
    (node.folder / "data" / "cert.pem").write_bytes(certificate)
    (node.folder / "data" / "key.pem").write_bytes(key)
    workers = node.workers()
    os.kill(node.pid, signal.SIGHUP)
    wait_until(
        lambda: all(served_certificate(node, service) != pem for service, pem in old.items()), 20, "new certificates"
    )
    assert node.workers() == workers
    assert session.say(b"NOOP").startswith(b"250")


def test_hup_with_changed_settings_replaces_the_workers_one_by_one(node: Node) -> None:
    before = set(node.workers())
    path = node.settings_file
    path.write_text(re.sub(r"(?m)^messages = .*$", "messages = 7", path.read_text()))
    os.kill(node.pid, signal.SIGHUP)

    def limit() -> bytes:
        client = Smtp(node)
        client.socket.sendall(b"EHLO x\r\n")
        return client.answer()

    wait_until(lambda: len(node.workers()) == 2 and not before & set(node.workers()), 40, "two new workers")
    wait_until(lambda: b"MAILMAX=7 " in limit(), 10, "the new limit")


def test_hup_with_wrong_settings_changes_nothing(node: Node) -> None:
    path = node.settings_file
    good, workers = path.read_text(), node.workers()
    path.write_text(good.replace("[node]", "[nod]"))
    os.kill(node.pid, signal.SIGHUP)
    wait_until(lambda: "settings.refused" in node.log, 10, "the refusal is logged")
    path.write_text(good)
    assert node.workers() == workers
    deliver(node)


def test_a_second_node_on_the_same_ports_is_refused(node: Node, tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("everpost"))
    arguments = [program, "demo", "--base-port", str(node.base), "--dir", str(tmp_path), "--users", "1"]
    ran = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1 and "something else listens on" in ran.stderr


def test_term_lets_a_message_finish_and_says_goodbye() -> None:
    node = Node(workers=2, users=1)
    node.start()
    reader = imaplib.IMAP4("127.0.0.1", node.port("imap"), timeout=30)
    reader.login(node.address(0), "correct-horse-battery")
    idle = Smtp(node)
    sender = Smtp(node)
    sender.begin_data()
    os.kill(node.pid, signal.SIGTERM)
    assert reader.readline().startswith(b"* BYE")
    assert idle.answer().startswith(b"421")

    def refused() -> bool:
        try:
            node.greeting("smtp")
        except OSError:
            return True
        return False

    wait_until(refused, 10, "no new sessions")
    assert sender.say(MESSAGE + b".").startswith(b"250")
    node.end()
    node.start()
    reader = imaplib.IMAP4("127.0.0.1", node.port("imap"), timeout=30)
    reader.login(node.address(0), "correct-horse-battery")
    assert reader.select("INBOX")[1] == [b"1"]
    reader.logout()
    node.stop()


def test_workers_end_when_their_supervisor_is_killed() -> None:
    node = Node(workers=2, users=1)
    node.start()
    workers = node.workers()
    os.kill(node.pid, signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 30, "the workers are gone")
    node.remove()


def serve(node: Node) -> subprocess.CompletedProcess[str]:
    """Run `everpost serve` where it should end by itself."""
    arguments = [str(Path(sys.executable).with_name("everpost")), "serve", "--settings", str(node.settings_file)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def test_a_node_that_cannot_start_gives_up() -> None:
    node = Node(workers=1, users=1)
    node.start()
    node.end()
    settings = node.settings_file.read_text()
    node.settings_file.write_text(settings.replace("[storage]", '[storage]\nblobs = "file:///proc/everpost"'))
    ran = serve(node)
    assert ran.returncode == 4 and "cannot be started" in ran.stderr, ran
    node.settings_file.write_text(settings)
    (node.folder / "data" / "key.pem").write_text("no key")
    ran = serve(node)
    assert ran.returncode == 1 and "key.pem" in ran.stderr, ran
    node.remove()
