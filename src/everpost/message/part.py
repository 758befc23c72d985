"""The MIME tree with byte offsets, as it is kept beside a stored message."""

import msgspec

from everpost.message.envelope import Envelope

Params = tuple[tuple[str, str], ...]


class Part(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One entity (RFC 2045 section 2.4). Offsets are bytes into the whole raw message.

    A msgspec.Struct because it is stored: packing costs microseconds.
    """

    header_start: int
    body_start: int
    """The header, blank line included, ends here."""
    body_end: int
    lines: int
    """Line feeds in the body of a text or an embedded message; 0 where IMAP does not ask for it."""
    type: str = "text"
    subtype: str = "plain"
    params: Params = ()
    """Raw pairs, names in lower case; RFC 2231 pieces stay as they are."""
    encoding: str = "7bit"
    id: str | None = None
    description: str | None = None
    disposition: str | None = None
    disposition_params: Params = ()
    md5: str | None = None
    language: tuple[str, ...] = ()
    location: str | None = None
    children: tuple["Part", ...] = ()
    """Of a multipart its parts; of an embedded message its root alone."""
    embedded: Envelope | None = None
    """Of message/rfc822 and message/global: the envelope of the message inside."""

    @property
    def size(self) -> int:
        """Octets of the body as it is encoded."""
        return self.body_end - self.body_start

    @property
    def is_multipart(self) -> bool:
        """Whether the children are a multipart's parts."""
        return self.type == "multipart" and bool(self.children)

    @property
    def is_message(self) -> bool:
        """Whether the only child is an embedded message."""
        return self.embedded is not None

    def param(self, name: str) -> str | None:
        """A Content-Type parameter by its lower-case name."""
        for key, value in self.params:
            if key == name:
                return value
        return None

    def find(self, section: str) -> "Part | None":
        """The part with that number (RFC 9051 section 6.4.5.1), e.g. "1.2"; None if there is none."""
        part = self
        for place, step in enumerate(section.split(".")):
            if not step.isdigit() or len(step) > 6:
                return None
            number = int(step)
            container = part.children[0] if place and part.is_message else part
            if container.is_multipart:
                if not 1 <= number <= len(container.children):
                    return None
                part = container.children[number - 1]
            elif number == 1 and (not place or part.is_message):
                part = container
            else:
                return None
        return part


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Part)


def pack(part: Part) -> bytes:
    """The tree as it is stored."""
    return _encoder.encode(part)


def unpack(data: bytes) -> Part:
    """The stored tree again."""
    return _decoder.decode(data)
