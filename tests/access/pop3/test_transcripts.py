"""Sessions as text: `C:` says the client, `S:` the server, `C2:` a second one, `X:` closed; `plain` without TLS."""

import re
from pathlib import Path

import pytest

from tests.access.pop3.fakes import Client, make_door

FOLDER = Path(__file__).parent / "transcripts"
LINE = re.compile(r"([CSX])(\d?):(?: (.*))?")

MESSAGES = {
    4: b"From: bob@example.test\r\nSubject: one\r\n\r\nhello ann\r\n",
    8: b"Subject: dots\r\nX-Long: some words here\r\n\r\n.\r\n..two\r\nplain\r\n. end",
    15: b"From: bob@example.test\r\nSubject: three\r\n\r\ngoodbye ann",
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
async def test_transcript(path: Path) -> None:
    text = path.read_text().splitlines()
    door = make_door(dict(MESSAGES))
    clients: dict[str, Client] = {}
    waiting: dict[str, list[str]] = {}
    tls = "plain" not in text

    async def client(name: str) -> Client:
        if name not in clients:
            clients[name] = Client(door, tls=tls)
            waiting[name] = lines(await clients[name].start())
        return clients[name]

    await client("")
    for number, line in enumerate(text, 1):
        if not line or line.startswith("#") or line == "plain":
            continue
        found = LINE.fullmatch(line)
        assert found, f"{path.name}:{number}: {line}"
        kind, name, said = found.groups(default="")
        who = await client(name)
        match kind:
            case "C" if said:
                assert not waiting[name], f"{path.name}:{number}: the server also said {waiting[name]}"
                waiting[name] = lines(await who.say(said.encode() + b"\r\n"))
            case "S":
                assert waiting[name][:1] == [said], f"{path.name}:{number}: {waiting[name]}"
                del waiting[name][0]
            case "X":
                assert who.session.finished, f"{path.name}:{number}"
                await who.session.closed()
    assert not any(waiting.values()), waiting
    for each in clients.values():
        await each.session.closed()
    assert door.mailboxes.open_views == 0 and not door.locks.holders  # type: ignore[attr-defined]


def lines(data: bytes) -> list[str]:
    assert not data or data.endswith(b"\r\n")
    return data.decode().split("\r\n")[:-1]
