"""Programs that keep or fetch whole mailboxes: mbsync, getmail, fetchmail."""

import mailbox
import re
from pathlib import Path

import pytest

from tests.e2e.mailing import User, a_message, a_subject, deliver, ok, subject_of, untraced
from tests.e2e.programs import private, run
from tests.servers.node import Node


def maildir(path: Path) -> dict[str, tuple[bytes, str]]:
    """Subject to bytes and flags of everything in a maildir."""
    found = {}
    for message in mailbox.Maildir(path, create=False):
        raw = message.as_bytes()
        found[subject_of(raw.replace(b"\n", b"\r\n"))] = raw, message.get_flags()
    return found


def test_mbsync_keeps_both_sides_the_same(node: Node, user: User, tmp_path: Path) -> None:
    subjects = [a_subject() for _ in range(5)]
    for subject in subjects:
        deliver(node, user.address, a_message(user.address, subject))
    local = tmp_path / "mail"
    local.mkdir()
    config = private(
        tmp_path / "mbsyncrc",
        f"IMAPAccount here\nHost localhost\nPort {node.port('imaps')}\nUser {user.address}\nPass {user.password}\n"
        f"SSLType IMAPS\nCertificateFile {node.certificate}\n\nIMAPStore far\nAccount here\n\n"
        f"MaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n",
    )

    def synchronise() -> None:
        run(f"mbsync -c {config} -a", home=tmp_path)

    synchronise()
    assert set(maildir(local / "INBOX")) == set(subjects)

    # Near: read one, delete one, make one in a new folder. Far: flag one.
    box = mailbox.Maildir(local / "INBOX")
    for key, message in box.items():
        if message["Subject"] == subjects[0]:
            message.add_flag("S")
            message.set_subdir("cur")
            box[key] = message
        elif message["Subject"] == subjects[1]:
            message.add_flag("T")
            message.set_subdir("cur")
            box[key] = message
    made = a_subject()
    new = mailbox.Maildir(local / "Near made")
    new.add(a_message(user.address, made).replace(b"\r\n", b"\n"))
    with user.imap() as client:
        ok(client.store("3", "+FLAGS", r"(\Flagged)"))
        ok(client.store("4", "+FLAGS", r"(\Deleted)"))
        ok(client.expunge())
    synchronise()
    assert user.subjects() == [subjects[0], subjects[2], subjects[4]]
    assert r"\Seen" in user.flags(subjects[0])
    assert user.subjects('"Near made"') == [made]
    near = maildir(local / "INBOX")
    assert set(near) == {subjects[0], subjects[2], subjects[4]}
    assert "F" in near[subjects[2]][1]

    before = sorted(path.name for path in local.rglob("*") if path.is_file() and "mbsync" not in path.name)
    synchronise()
    assert sorted(path.name for path in local.rglob("*") if path.is_file() and "mbsync" not in path.name) == before


@pytest.mark.parametrize("kind", ["SimpleIMAPSSLRetriever", "SimplePOP3SSLRetriever"])
def test_getmail_fetches_and_deletes(node: Node, user: User, tmp_path: Path, kind: str) -> None:
    held = {}
    for _ in range(3):
        subject = a_subject()
        held[subject] = a_message(user.address, subject)
        deliver(node, user.address, held[subject])
    (tmp_path / "got").mkdir()
    door = "imaps" if "IMAP" in kind else "pop3s"
    private(
        tmp_path / "getmailrc",
        f"[retriever]\ntype = {kind}\nserver = localhost\nport = {node.port(door)}\nusername = {user.address}\n"
        f"password = {user.password}\nca_certs = {node.certificate}\n"
        # Its own maildir destination refuses to work for root, as whom containers run tests.
        "[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"
        f"arguments = ('-c', 'cat > $(mktemp {tmp_path}/got/XXXXXX)')\n"
        "[options]\ndelete = true\nread_all = true\ndelivered_to = false\nreceived = false\n".replace(
            "user = root\n", ""
        ),
    )
    run(f"getmail --getmaildir {tmp_path} --rcfile getmailrc", home=tmp_path)
    got = []
    for path in (tmp_path / "got").iterdir():
        # getmail puts one field of its own into what it got by IMAP.
        raw = re.sub(rb"X-getmail-retrieved-from-mailbox: .*\n", b"", path.read_bytes())
        got.append(untraced(raw.replace(b"\n", b"\r\n")))
    assert {subject_of(raw): raw for raw in got} == held
    assert user.subjects() == []


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("starttls", [False, True], ids=["implicit", "starttls"])
def test_fetchmail_fetches_and_deletes(node: Node, user: User, tmp_path: Path, protocol: str, starttls: bool) -> None:
    subjects = [a_subject() for _ in range(3)]
    for subject in subjects:
        deliver(node, user.address, a_message(user.address, subject))
    port = node.port(protocol if starttls else protocol + "s")
    secure = 'sslproto "TLS1.2+"' if starttls else "ssl"
    config = private(
        tmp_path / "fetchmailrc",
        f'poll localhost service {port} protocol {protocol} username "{user.address}" password "{user.password}" '
        f'{secure} sslcertck sslcertfile "{node.certificate}" no rewrite fetchall '
        f'mda "cat >> {tmp_path}/got; echo ==END== >> {tmp_path}/got"\n',
    )
    run(f"fetchmail -f {config} --pidfile {tmp_path}/pid --idfile {tmp_path}/ids", home=tmp_path)
    got = (tmp_path / "got").read_text()
    assert got.count("==END==") == 3
    assert all(f"Subject: {subject}\n" in got for subject in subjects)
    assert user.subjects() == []
