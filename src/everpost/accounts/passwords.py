"""Passwords: prepared, hashed with argon2id, with keys for SCRAM beside; app passwords, which are long and random."""

import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from dataclasses import dataclass

import argon2

from everpost.core.errors import Refused
from everpost.store.sql.credentials import APP, PASSWORD, CredentialRow

RFCS = (4013, 5802, 7677, 9106)

# OWASP's second choice of 2024: 19 MiB, two passes, one lane; about 20 ms here.
_ARGON2 = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# RFC 7677 section 4 demands at least 4096.
SCRAM_ITERATIONS = 10_000
MAX_PASSWORD = 1024
MIN_PASSWORD = 8

# Four groups of five letters and digits: 100 bits, easy to type.
_APP_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_APP_LENGTH = 20


class BadPassword(Refused):
    """A password that cannot be set."""


def prepare(text: str) -> str:
    """SASLprep (RFC 4013); a text that it forbids stays as it is, so that no one is locked out."""
    if text.isascii():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(test(char) for char in normal for test in forbidden):
        return text
    if any(map(stringprep.in_table_d1, normal)) and (
        any(map(stringprep.in_table_d2, normal))
        or not (stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1]))
    ):
        return text
    return normal


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server keeps for SCRAM-SHA-256 (RFC 5802 section 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return "ScramKeys(...)"


def scram_keys(password: str, salt: bytes, iterations: int = SCRAM_ITERATIONS) -> ScramKeys:
    """The keys of a password."""
    salted = hashlib.pbkdf2_hmac("sha256", prepare(password).encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(
        salt, iterations, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256")
    )


def make(password: str, now_ms: int) -> CredentialRow:
    """A password ready to be stored. Raises BadPassword. Takes tens of milliseconds."""
    if len(password) < MIN_PASSWORD:
        raise BadPassword(f"a password has at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD or "\0" in password:
        raise BadPassword("the password is too long or has a NUL")
    keys = scram_keys(password, secrets.token_bytes(16))
    return CredentialRow(
        0,
        PASSWORD,
        "",
        _ARGON2.hash(prepare(password)),
        keys.salt,
        keys.iterations,
        keys.stored_key,
        keys.server_key,
        None,
        now_ms,
    )


def make_app(label: str, now_ms: int) -> tuple[str, CredentialRow]:
    """A new app password, to be shown once, and what is stored of it."""
    word = "".join(secrets.choice(_APP_ALPHABET) for _ in range(_APP_LENGTH))
    shown = "-".join(word[place : place + 5] for place in range(0, _APP_LENGTH, 5))
    return shown, CredentialRow(0, APP, label, None, None, None, None, None, _app_digest(word), now_ms)


def _app_digest(word: str) -> bytes:
    # 99 random bits need no slow hash.
    return hashlib.sha256(b"everpost app password\0" + word.encode()).digest()


def generate() -> str:
    """A password for people who want one made."""
    return secrets.token_urlsafe(12)


def is_app(credential: CredentialRow, password: str) -> bool:
    """Whether this is that app password; dashes, blanks and case make no difference."""
    word = password.replace("-", "").replace(" ", "").lower()
    return credential.digest is not None and hmac.compare_digest(credential.digest, _app_digest(word))


def verify(argon2_hash: str, password: str) -> bool:
    """Check a password against its argon2 hash. Takes tens of milliseconds; call it in a thread."""
    try:
        return _ARGON2.verify(argon2_hash, prepare(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


# Verified where there is nobody, so that the time tells nothing.
NOBODY = _ARGON2.hash(secrets.token_hex(16))
