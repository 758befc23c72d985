"""Programs that read, flag, move and delete one message at a time: curl, mutt, Python."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.mailing import User, a_message, a_subject, deliver, fetch, ok
from tests.e2e.programs import private, run, run_on_terminal
from tests.servers.node import Node


@pytest.fixture
def curl(node: Node, user: User) -> Callable[..., str]:
    """curl at a URL of a door, logged in under TLS that it has checked."""

    def ask(door: str, path: str, more: str = "") -> str:
        return run(
            f"curl -sS {door}://localhost:{node.port(door)}/{path} --ssl-reqd --cacert {node.certificate} "
            f"--user {user.address}:{user.password} {more}"
        )

    return ask


@pytest.mark.parametrize("door", ["imap", "imaps"])
def test_curl_reads_and_changes_by_imap(
    node: Node, user: User, curl: Callable[..., str], tmp_path: Path, door: str
) -> None:
    subject = a_subject()
    deliver(node, user.address, a_message(user.address, subject))
    assert "INBOX" in curl(door, "", """-X 'LIST "" "*"'""")
    assert f"Subject: {subject}" in curl(door, "INBOX;MAILINDEX=1")
    assert subject in curl(door, "INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)")
    assert r"\Flagged" in curl(door, "INBOX", r"-X 'STORE 1 +FLAGS (\Flagged)'")
    curl(door, "", "-X 'CREATE curled'")
    curl(door, "INBOX", "-X 'COPY 1 curled'")
    assert user.subjects("curled") == [subject]
    assert r"\Flagged" in user.flags(subject, "curled")
    appended = a_subject()
    (tmp_path / "mail").write_bytes(a_message(user.address, appended))
    curl(door, "curled", f"--upload-file {tmp_path}/mail")
    assert user.subjects("curled") == [subject, appended]
    curl(door, "INBOX", r"-X 'STORE 1 +FLAGS.SILENT (\Deleted)'")
    curl(door, "INBOX", "-X 'EXPUNGE'")
    assert user.subjects() == []


@pytest.mark.parametrize("door", ["pop3", "pop3s"])
def test_curl_reads_and_deletes_by_pop3(node: Node, user: User, curl: Callable[..., str], door: str) -> None:
    subjects = [a_subject(), a_subject()]
    for subject in subjects:
        deliver(node, user.address, a_message(user.address, subject))
    assert [line.split()[0] for line in curl(door, "").splitlines()] == ["1", "2"]
    assert f"Subject: {subjects[1]}" in curl(door, "2")
    assert len(curl(door, "", "-X 'UIDL'").splitlines()) == 2
    assert "Subject" in curl(door, "", "-X 'TOP 1 0'")
    curl(door, "1", "-X DELE --list-only")
    assert user.subjects() == subjects[1:]


def test_mutt_reads_flags_moves_and_deletes(node: Node, user: User, tmp_path: Path) -> None:
    subjects = [a_subject() for _ in range(4)]
    for subject in subjects:
        deliver(node, user.address, a_message(user.address, subject))
    with user.imap() as client:
        ok(client.create("Kept"))
    server = f"imaps://{user.address}@localhost:{node.port('imaps')}/"
    private(
        tmp_path / ".muttrc",
        f'set folder="{server}"\nset spoolfile="+INBOX"\nset imap_pass="{user.password}"\n'
        f'set ssl_ca_certificates_file="{node.certificate}"\n'
        "set confirmappend=no\nset confirmcreate=no\nset delete=yes\nset quit=yes\nset mark_old=no\nset move=no\n"
        "set sort=mailbox-order\nset wait_key=no\nset pager=builtin\n",
    )
    keys = (
        "<first-entry><display-message><exit>"  # read the first
        "<first-entry><next-entry><flag-message>"  # flag the second
        "<first-entry><next-entry><next-entry><save-message><kill-line>+Kept<enter>"  # move the third
        "<last-entry><delete-message>"  # delete the fourth
        "<sync-mailbox><quit>"
    )
    run_on_terminal("mutt", "-e", f"push {keys}", home=tmp_path)
    assert user.subjects() == subjects[:2]
    assert user.subjects("Kept") == [subjects[2]]
    assert r"\Seen" in user.flags(subjects[0])
    assert r"\Flagged" in user.flags(subjects[1])


def test_python_reads_flags_moves_and_deletes(node: Node, user: User) -> None:
    subjects = [a_subject() for _ in range(3)]
    for subject in subjects:
        deliver(node, user.address, a_message(user.address, subject))
    with user.imap() as client:
        assert b"\\Seen" in ok(client.fetch("1", "(BODY[])"))[1] + ok(client.fetch("1", "(FLAGS)"))[0]
        ok(client.create("Moved"))
        ok(client.subscribe("Moved"))
        assert b"MOVE" in ok(client.capability())[0].split()
        ok(client.uid("MOVE", "2", "Moved"))
        ok(client.store("1", "+FLAGS", r"(\Answered $Label1)"))
        # "Other/deep & ümlaut" in modified UTF-7 (RFC 3501 section 5.1.3).
        ok(client.rename("Moved", '"Other/deep &- &APw-mlaut"'))
    assert user.subjects() == [subjects[0], subjects[2]]
    assert {r"\Answered", r"\Seen", "$Label1"} <= user.flags(subjects[0])
    with user.imap(select=None) as client:
        names = [line.decode().rpartition(' "/" ')[2].strip('"') for line in ok(client.list())]
        (moved,) = [name for name in names if name.startswith("Other/")]
        ok(client.select(f'"{moved}"'))
        assert subjects[1].encode() in fetch(client, "1", "BODY.PEEK[HEADER]")[1]
        ok(client.close())
        ok(client.delete(f'"{moved}"'))
