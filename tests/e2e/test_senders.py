"""Programs that send: swaks, curl, msmtp, mutt, Python; to the MX and to submission."""

import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.mailing import SENDER, User, a_message, a_subject, trusting, untraced
from tests.e2e.programs import private, run
from tests.servers.node import Node


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_swaks_delivers(node: Node, user: User, tls: bool) -> None:
    subject = a_subject()
    printed = run(
        f"swaks --server localhost --port {node.port('smtp')} --helo client.elsewhere.test --from {SENDER} "
        f"--to {user.address} --header 'Subject: {subject}' --body 'by swaks' {'--tls' if tls else ''}"
    )
    assert "250 2.0.0" in printed
    user.wait_for(subject)
    assert (b"ESMTPS" in user.raw(subject)) == tls


@pytest.mark.parametrize("door", ["submission", "submissions"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_submits(node: Node, user: User, door: str, mechanism: str) -> None:
    subject = a_subject()
    run(
        f"swaks --server localhost --port {node.port(door)} --from {user.address} --to {user.address} "
        f"--auth {mechanism} --auth-user {user.address} --auth-password {user.password} "
        f"--header 'Subject: {subject}' {'--tls' if door == 'submission' else '--tls-on-connect'}"
    )
    user.wait_for(subject)


def test_swaks_is_refused_with_a_wrong_password(node: Node, user: User) -> None:
    printed = run(
        f"swaks --server localhost --port {node.port('submission')} --from {user.address} --to {user.address} "
        f"--tls --auth PLAIN --auth-user {user.address} --auth-password wrong",
        code=28,  # swaks: authentication failed
    )
    assert "535 5.7.8" in printed


@pytest.mark.parametrize("door", ["smtp", "submission", "submissions"])
def test_curl_sends(node: Node, user: User, tmp_path: Path, door: str) -> None:
    subject = a_subject()
    raw = a_message(user.address, subject, sender=user.address)
    (tmp_path / "mail").write_bytes(raw)
    scheme = "smtps" if door == "submissions" else "smtp"
    login = "" if door == "smtp" else f"--user {user.address}:{user.password}"
    run(
        f"curl -sS {scheme}://localhost:{node.port(door)}/client.elsewhere.test --ssl-reqd --cacert {node.certificate} "
        f"--mail-from {user.address} --mail-rcpt {user.address} --upload-file {tmp_path}/mail {login}"
    )
    user.wait_for(subject)
    assert untraced(user.raw(subject)) == raw


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "plain", "login"])
@pytest.mark.parametrize("door", ["submission", "submissions"])
def test_msmtp_submits(node: Node, user: User, tmp_path: Path, door: str, mechanism: str) -> None:
    subject = a_subject()
    private(
        tmp_path / ".msmtprc",
        f"account default\nhost localhost\nport {node.port(door)}\nfrom {user.address}\n"
        f"auth {mechanism}\nuser {user.address}\npassword {user.password}\n"
        f"tls on\ntls_starttls {'on' if door == 'submission' else 'off'}\ntls_trust_file {node.certificate}\n",
    )
    run(f"msmtp {user.address}", stdin=a_message(user.address, subject, sender=user.address), home=tmp_path)
    user.wait_for(subject)


def test_mutt_submits_with_an_attachment(node: Node, user: User, tmp_path: Path) -> None:
    subject = a_subject()
    (tmp_path / "picture.bin").write_bytes(bytes(range(256)) * 200)
    private(
        tmp_path / ".muttrc",
        f'set from="{user.address}"\nset envelope_from=yes\nset copy=no\nset ssl_starttls=yes\n'
        f'set smtp_url="smtp://{user.address}@localhost:{node.port("submission")}/"\n'
        f'set smtp_pass="{user.password}"\nset ssl_force_tls=yes\n'
        f'set ssl_ca_certificates_file="{node.certificate}"\n',
    )
    run(f"mutt -s '{subject}' -a picture.bin -- {user.address}", stdin=b"text by mutt\n", home=tmp_path)
    user.wait_for(subject)
    with user.imap() as client:
        structure = client.fetch("1", "(BODYSTRUCTURE)")[1][0]
    assert b'"picture.bin"' in structure


def test_python_submits_to_several_and_bcc_stays_hidden(node: Node, another: Callable[[], User]) -> None:
    sender, reader, hidden = another(), another(), another()
    subject = a_subject()
    raw = (
        f"From: {sender.address}\r\nTo: {reader.address}\r\nBcc: {hidden.address}\r\nSubject: {subject}\r\n\r\ntext\r\n"
    ).encode()
    with smtplib.SMTP("localhost", node.port("submission"), timeout=30) as client:
        client.starttls(context=trusting(node))
        client.login(sender.address, sender.password)
        client.sendmail(sender.address, [reader.address, hidden.address], raw)
    for one in (reader, hidden):
        one.wait_for(subject)
        header = one.raw(subject).partition(b"\r\n\r\n")[0].lower()
        assert b"\r\nbcc:" not in header
        # RFC 6409 section 8: what is missing is added.
        assert b"\r\nmessage-id:" in header
        assert b"\r\ndate:" in header


def test_nobody_submits_as_another(node: Node, another: Callable[[], User]) -> None:
    one, other = another(), another()
    with smtplib.SMTP("localhost", node.port("submission"), timeout=30) as client:
        client.starttls(context=trusting(node))
        client.login(one.address, one.password)
        with pytest.raises(
            (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)
        ) as refused:
            client.sendmail(other.address, [one.address], a_message(one.address, "stolen", sender=other.address))
    assert b"5.7.1" in str(refused.value).encode() or "5.7.1" in str(refused.value)


def test_nobody_submits_without_login(node: Node, user: User) -> None:
    with smtplib.SMTP_SSL("localhost", node.port("submissions"), context=trusting(node), timeout=30) as client:
        client.ehlo()
        code, text = client.mail(user.address)
    assert code == 530
    assert text.startswith(b"5.7.0 ")
