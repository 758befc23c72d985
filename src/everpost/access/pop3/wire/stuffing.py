"""A message as the lines of a multi-line response (RFC 1939 section 3)."""


class Stuffing:
    """Takes a message in pieces. A dot is doubled after LF, with or without CR, because clients differ in
    what they take for the end of a line; our own messages have CRLF.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"

    def feed(self, piece: bytes) -> bytes:
        """The piece as it is sent."""
        if not piece:
            return b""
        stuffed = piece.replace(b"\n.", b"\n..")
        if self._tail.endswith(b"\n") and piece.startswith(b"."):
            stuffed = b"." + stuffed
        self._tail = (self._tail + piece[-2:])[-2:]
        return stuffed

    def end(self) -> bytes:
        """What ends the response."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
