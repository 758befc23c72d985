"""Transcripts: text files in SMTP's own words, run against the server's machine.

    ---- name            a session begins
    @ key=value ...      its ServerConfig; also `mechanisms=PLAIN,LOGIN`
    C: text              the client sends a line (CRLF is added); lines in a row are sent at once
    C+ text              the client sends bytes without CRLF
    S: text              the server says this line; `*` at the end stands for anything
    ! tls                the handshake; `! closed` the session is over; `! eof` the client hangs up
    V: KIND              this violation was told since the last one asked for
    M: text              a message was taken, and this is its content

In C, M: `\\r`, `\\n`, `\\0`, `\\xHH` are bytes; `{text*3}` is text three times.
"""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from everpost.smtp.wire.server import ServerConfig
from tests.smtp.scripted import Scripted

_ESCAPE = re.compile(r"\\(r|n|0|\\|x[0-9a-fA-F]{2})")
_TIMES = re.compile(r"\{(.+?)\*(\d+)\}")


@dataclass
class Transcript:
    name: str
    lines: list[tuple[int, str]] = field(default_factory=list)


def load(folder: Path) -> Iterator[Transcript]:
    for path in sorted(folder.glob("*.txt")):
        current: Transcript | None = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("---- "):
                if current is not None:
                    yield current
                current = Transcript(f"{path.stem}: {line[5:].strip()}")
            elif line.strip() and not line.startswith("#"):
                assert current is not None, f"{path}:{number}: a session must begin with ----"
                current.lines.append((number, line))
        if current is not None:
            yield current


def text_bytes(text: str) -> bytes:
    text = _TIMES.sub(lambda found: found.group(1) * int(found.group(2)), text)
    parts = _ESCAPE.split(text)
    out = b""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            out += part.encode()
        else:
            simple = {"r": b"\r", "n": b"\n", "0": b"\0", "\\": b"\\"}
            out += simple[part] if part in simple else bytes.fromhex(part[1:])
    return out


def _configure(text: str) -> tuple[ServerConfig, tuple[str, ...]]:
    config = ServerConfig("mx.example")
    mechanisms: tuple[str, ...] = ()
    for word in text.split():
        key, _, value = word.partition("=")
        if key == "mechanisms":
            mechanisms = tuple(value.split(","))
        else:
            config = dataclasses.replace(config, **{key: value == "yes" if value in {"yes", "no"} else int(value)})
    return config, mechanisms


def run(transcript: Transcript, size: int) -> Scripted:
    """Run it, the client's bytes handed in in pieces of `size` (0: as they are). Raises AssertionError."""
    lines = list(transcript.lines)
    settings = lines.pop(0)[1][1:] if lines[0][1].startswith("@") else ""
    session = Scripted.begin(*_configure(settings))
    output = session.greet()
    sending = b""
    asked = taken = 0
    for number, line in lines:
        kind, text = line[:2], line[3:]
        where = f"{transcript.name}, line {number}"
        if kind in {"C:", "C+"}:
            assert not output, f"{where}: unexpected {output!r}"
            sending += text_bytes(text) + (b"\r\n" if kind == "C:" else b"")
            continue
        output += session.feed(sending, size)
        sending = b""
        match kind:
            case "S:":
                said, found, output = output.partition(b"\r\n")
                assert found, f"{where}: expected {text!r}, nothing was said"
                if text.endswith("*"):
                    assert said.decode().startswith(text[:-1]), f"{where}: {said!r}"
                else:
                    assert said.decode() == text, where
            case "V:":
                assert session.violations[asked : asked + 1] == [text], f"{where}: {session.violations[asked:]}"
                asked += 1
            case "M:":
                assert session.messages[taken : taken + 1] == [text_bytes(text)], f"{where}: {session.messages[taken:]}"
                taken += 1
            case "! ":
                word = line[2:].strip()
                if word == "tls":
                    session.start_tls()
                elif word == "eof":
                    output += session.hang_up()
                else:
                    assert word == "closed", where
                    assert session.finished, where
            case _:
                raise AssertionError(f"{where}: what is {line!r}?")
    output += session.feed(sending, size)
    assert not output, f"{transcript.name}: said at the end: {output!r}"
    assert session.violations[asked:] == [], f"{transcript.name}: {session.violations[asked:]}"
    assert len(session.messages) == taken, f"{transcript.name}: {session.messages[taken:]}"
    return session
