"""SASL as a client: for tests and for servers that ask us to log in. Pure."""

import base64
import hashlib
import hmac

from everpost.accounts.passwords import prepare
from everpost.core.errors import ProtocolError

RFCS = (4616, 5802, 7677)

# A server that asks for more wants to keep us busy.
MAX_ITERATIONS = 1_000_000


class BadServer(ProtocolError):
    """The server's message is malformed, or it does not know the password either."""


def plain(user: str, password: str, authorization: str = "") -> bytes:
    """PLAIN's one message."""
    return "\0".join((authorization, user, password)).encode()


class ScramClient:
    """SCRAM-SHA-256; with `binding` (type and data) SCRAM-SHA-256-PLUS. Send `first`, then what `final` gives."""

    def __init__(
        self,
        user: str,
        password: str,
        nonce: str,
        *,
        binding: tuple[str, bytes] | None = None,
        flag: str = "n",
        authorization: str = "",
    ) -> None:
        """`flag` is `n` or `y` without a binding (RFC 5802 section 6)."""
        self._password = password
        self._nonce = nonce
        start = flag if binding is None else f"p={binding[0]}"
        self._gs2 = f"{start},{'a=' + _name(authorization) if authorization else ''},"
        self._binding = b"" if binding is None else binding[1]
        self._bare = f"n={_name(prepare(user))},r={nonce}"
        self._signature = b""

    def first(self) -> bytes:
        """The client-first-message."""
        return (self._gs2 + self._bare).encode()

    def final(self, challenge: bytes) -> bytes:
        """The client-final-message for the server-first-message. Raises BadServer."""
        try:
            text = challenge.decode()
            nonce, salt, iterations = (part[2:] for part in text.split(",")[:3])
            rounds, salt_bytes = int(iterations), base64.b64decode(salt, validate=True)
        except ValueError as error:
            raise BadServer("malformed SCRAM challenge") from error
        if not nonce.startswith(self._nonce) or nonce == self._nonce or not 4096 <= rounds <= MAX_ITERATIONS:
            raise BadServer("malformed SCRAM challenge")
        salted = hashlib.pbkdf2_hmac("sha256", prepare(self._password).encode(), salt_bytes, rounds)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        given = base64.b64encode(self._gs2.encode() + self._binding).decode()
        unproved = f"c={given},r={nonce}"
        agreed = f"{self._bare},{text},{unproved}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), agreed, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), agreed, "sha256")
        return f"{unproved},p={proof}".encode()

    def check(self, final: bytes) -> None:
        """Check the server-final-message. Raises BadServer."""
        if not hmac.compare_digest(final, b"v=" + base64.b64encode(self._signature)):
            raise BadServer("the server does not know the password")


def _name(text: str) -> str:
    return text.replace("=", "=3D").replace(",", "=2C")
