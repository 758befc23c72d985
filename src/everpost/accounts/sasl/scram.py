"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a server (RFC 5802, RFC 7677)."""

import base64
import binascii
import hashlib
import hmac
import re
from enum import Enum

from everpost.accounts.passwords import ScramKeys
from everpost.accounts.sasl.exchange import (
    MAX_RESPONSE,
    Challenge,
    Context,
    Done,
    Failed,
    NeedKeys,
    Reason,
    Step,
)

RFCS = (5802, 7677, 5929)

MAX_NONCE = 256

_MALFORMED = Failed(Reason.MALFORMED)

# RFC 5802 section 7. A reserved extension (m=) stands before n= and therefore does not match.
_FIRST = re.compile(
    r"(?P<gs2>(?:(?P<plain>[ny])|p=(?P<binding>[A-Za-z0-9.\-]{1,64})),(?:a=(?P<authorization>[^,\0]+))?,)"
    r"(?P<bare>n=(?P<user>[^,\0]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,\0]+)*)"
)
_FINAL = re.compile(
    r"(?P<unproved>c=(?P<input>[A-Za-z0-9+/]+={0,2}),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,\0]+)*)"
    r",p=(?P<proof>[A-Za-z0-9+/]+={0,2})"
)


class _State(Enum):
    START = "nothing was said"
    ASKED = "the client was asked to begin"
    KEYS = "keys are being looked up"
    PROOF = "the proof is expected"
    AGREED = "the client is to confirm our signature"
    ENDED = "over"


def _match(pattern: re.Pattern[str], message: bytes) -> re.Match[str] | None:
    if len(message) > MAX_RESPONSE:
        return None
    try:
        return pattern.fullmatch(message.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _name(text: str) -> str | None:
    """A saslname with =2C and =3D undone; None if it has another =."""
    plain = text.replace("=2C", "\0").replace("=3D", "\1")
    return None if "=" in plain or "\1" in text else plain.replace("\0", ",").replace("\1", "=")


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


class Scram:
    """Implements `exchange.Mechanism`."""

    plus = False

    def __init__(self, context: Context) -> None:
        self._context = context
        self._state = _State.START
        self._user = ""
        self._bare = ""
        self._first = ""
        self._nonce = ""
        self._binding_input = b""
        self._keys: ScramKeys | None = None

    def step(self, response: bytes | None) -> Step:
        match self._state:
            case _State.START if response is None:
                self._state = _State.ASKED
                return Challenge(b"")
            case _State.START | _State.ASKED:
                return self._begin(response or b"")
            case _State.PROOF:
                return self._prove(response or b"")
            case _State.AGREED:
                self._state = _State.ENDED
                return _MALFORMED if response else Done(self._user)
            case _:
                return _MALFORMED

    def _begin(self, message: bytes) -> Step:
        self._state = _State.ENDED
        found = _match(_FIRST, message)
        if found is None or len(found["nonce"]) > MAX_NONCE:
            return _MALFORMED
        user, authorization = _name(found["user"]), _name(found["authorization"] or "")
        if user is None or authorization is None:
            return _MALFORMED
        if self.plus != (found["plain"] is None):
            return Failed(Reason.BINDING)
        if found["plain"] == "y" and self._context.plus_offered:
            # RFC 5802 section 6: somebody took -PLUS out of what the client was told.
            return Failed(Reason.BINDING)
        data = b""
        if found["binding"] is not None:
            known = self._context.binding(found["binding"])
            if known is None:
                return Failed(Reason.BINDING)
            data = known
        self._binding_input = found["gs2"].encode() + data
        self._user, self._bare = user, found["bare"]
        self._nonce = found["nonce"] + self._context.nonce()
        self._state = _State.KEYS
        return NeedKeys(user, authorization, self._challenge)

    def _challenge(self, keys: ScramKeys) -> Challenge:
        self._keys = keys
        salt = base64.b64encode(keys.salt).decode()
        self._first = f"r={self._nonce},s={salt},i={keys.iterations}"
        self._state = _State.PROOF
        return Challenge(self._first.encode())

    def _prove(self, message: bytes) -> Step:
        self._state = _State.ENDED
        found = _match(_FINAL, message)
        keys = self._keys
        if found is None or keys is None:
            return _MALFORMED
        given, proof = _decode(found["input"]), _decode(found["proof"])
        if given is None or proof is None or len(proof) != 32:
            return _MALFORMED
        if not hmac.compare_digest(found["nonce"], self._nonce):
            return _MALFORMED
        if not hmac.compare_digest(given, self._binding_input):
            return Failed(Reason.BINDING)
        agreed = f"{self._bare},{self._first},{found['unproved']}".encode()
        signature = hmac.digest(keys.stored_key, agreed, "sha256")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), keys.stored_key):
            return Failed(Reason.PROOF)
        self._state = _State.AGREED
        return Challenge(b"v=" + base64.b64encode(hmac.digest(keys.server_key, agreed, "sha256")))


class ScramPlus(Scram):
    """The same, bound to the TLS connection."""

    plus = True
