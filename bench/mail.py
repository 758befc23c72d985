"""Made-up mail of realistic size and shape, the same for the same seed."""

import base64
import quopri
import random
from dataclasses import dataclass

# Sizes in bytes and how many of a hundred messages have about that size.
MIX = ((3_000, 70), (15_000, 25), (100_000, 5))
POOL = 200

_ONSETS = ("b", "br", "c", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v", "w")
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "ea", "io", "ou")
_CODAS = ("", "", "n", "r", "s", "t", "l", "nd", "st", "ng")


@dataclass(frozen=True, slots=True)
class Body:
    """Everything of a message after the fields that make it unique; CRLF line ends, dots not doubled."""

    fields: bytes
    content: bytes


class Writer:
    """Writes mail."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.words = ["".join(self._syllable() for _ in range(self.chance.choice((1, 2, 2, 3)))) for _ in range(3000)]
        # As in any language few words are frequent and most are rare.
        self.weights = [1 / (rank + 5) for rank in range(len(self.words))]

    def _syllable(self) -> str:
        return self.chance.choice(_ONSETS) + self.chance.choice(_NUCLEI) + self.chance.choice(_CODAS)

    def text(self, size: int) -> str:
        """Paragraphs of about `size` characters, lines of at most 72."""
        lines: list[str] = []
        line = ""
        written = 0
        while written < size:
            for word in self.chance.choices(self.words, self.weights, k=50):
                if len(line) + len(word) > 70:
                    lines.append(line)
                    written += len(line) + 2
                    line = word
                else:
                    line = f"{line} {word}" if line else word.capitalize()
            lines += [line + ".", ""]
            written += len(line) + 5
            line = ""
        text = "\r\n".join(lines)
        return text[: max(0, text.rfind("\r\n", 0, size))] + "\r\n"

    def fields(self, to: str, kind: str) -> bytes:
        """The header as mail from elsewhere has it: trace, signature, list fields."""
        chance = self.chance
        signature = base64.b64encode(chance.randbytes(256)).decode()
        folded = "\r\n\t ".join(signature[at : at + 64] for at in range(0, len(signature), 64))
        person = f"{chance.choice(self.words).capitalize()} {chance.choice(self.words).capitalize()}"
        domain = f"{chance.choice(self.words)}.test"
        host = f"mx{chance.randrange(9)}.{domain}"
        lines = [
            f"Received: from {host} ({host} [192.0.2.{chance.randrange(1, 250)}])\r\n"
            f"\tby relay.{chance.choice(self.words)}.test (Postfix) with ESMTPS id {chance.getrandbits(40):X}\r\n"
            f"\tfor <{to}>; Mon, 23 Nov 2026 10:{chance.randrange(10, 60)}:07 +0100 (CET)",
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s{chance.randrange(99)};\r\n"
            f"\th=From:To:Subject:Date:Message-ID; bh={signature[:43]}=;\r\n\tb={folded}",
            f"From: {person} <{person.replace(' ', '.').lower()}@{domain}>",
            f"To: <{to}>",
            f"Subject: {' '.join(chance.choices(self.words, k=chance.randrange(2, 9)))}",
            f"References: <{chance.getrandbits(64):x}@{host}>\r\n <{chance.getrandbits(64):x}@{host}>",
            f"X-Mailer: {chance.choice(self.words).capitalize()} {chance.randrange(20)}.{chance.randrange(10)}",
            f"List-Unsubscribe: <https://lists.{host}/{chance.getrandbits(60):x}>",
            "MIME-Version: 1.0",
            kind,
        ]
        return "\r\n".join(lines).encode() + b"\r\n"

    def plain(self, to: str, size: int) -> Body:
        """One text part."""
        fields = self.fields(to, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit")
        return Body(fields, self.text(max(200, size - len(fields) - 150)).encode())

    def _alternative(self, boundary: str, size: int) -> str:
        markup = "".join(
            f'<p style="margin:0 0 1em 0;font-family:Arial;color:#{self.chance.getrandbits(24):06x}">{part}</p>\r\n'
            for part in self.text(size * 2 // 5).split("\r\n\r\n")
        )
        html = quopri.encodestring(markup.replace("\r\n", "\n").encode()).decode().replace("\n", "\r\n")
        text = self.text(max(200, size - len(html) - 400))
        return (
            f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
            f"--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            f"<html><body>\r\n{html}</body></html>\r\n--{boundary}--\r\n"
        )

    def alternative(self, to: str, size: int) -> Body:
        """The same as text and as HTML."""
        boundary = f"=_{self.chance.getrandbits(80):x}"
        fields = self.fields(to, f'Content-Type: multipart/alternative;\r\n\tboundary="{boundary}"')
        return Body(fields, self._alternative(boundary, size - len(fields)).encode())

    def attached(self, to: str, size: int) -> Body:
        """Text, HTML and a picture."""
        outer, inner = (f"=_{self.chance.getrandbits(80):x}" for _ in range(2))
        fields = self.fields(to, f'Content-Type: multipart/mixed; boundary="{outer}"')
        first = self._alternative(inner, 6_000)
        data = self.chance.randbytes((size - len(fields) - len(first) - 600) * 54 // 74)
        picture = base64.encodebytes(data).decode().replace("\n", "\r\n")
        name = f"{self.chance.choice(self.words)}.jpg"
        content = (
            f'--{outer}\r\nContent-Type: multipart/alternative; boundary="{inner}"\r\n\r\n{first}\r\n'
            f'--{outer}\r\nContent-Type: image/jpeg; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
            f'Content-Disposition: attachment; filename="{name}"\r\n\r\n{picture}--{outer}--\r\n'
        )
        return Body(fields, content.encode())

    def body(self, to: str, size: int) -> Body:
        """A body whose shape fits its size."""
        if size < 6_000:
            return self.plain(to, size)
        return self.alternative(to, size) if size < 50_000 else self.attached(to, size)


def pool(seed: int, to: str = "reader@example.test", count: int = POOL) -> list[Body]:
    """Bodies in the mix of sizes, shuffled."""
    writer = Writer(seed)
    bodies = [writer.body(to, size) for size, share in MIX for _ in range(count * share // 100)]
    writer.chance.shuffle(bodies)
    return bodies


def unique(body: Body, number: int) -> bytes:
    """A whole message that no other number yields."""
    own = b"Message-ID: <%016x@bench.test>\r\nDate: Mon, 23 Nov 2026 10:%02d:%02d +0100\r\n"
    return own % (number, number // 60 % 60, number % 60) + body.fields + b"\r\n" + body.content
