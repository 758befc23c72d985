"""PLAIN (RFC 4616), and LOGIN, which was never standardised but is what some mail programs know."""

from everpost.accounts.sasl.exchange import MAX_RESPONSE, Challenge, Context, Failed, Reason, Step, Verify

RFCS = (4616,)

_MALFORMED = Failed(Reason.MALFORMED)


def _text(response: bytes) -> str | None:
    """Not empty, UTF-8, without NUL; else None."""
    if not response or len(response) > MAX_RESPONSE or b"\0" in response:
        return None
    try:
        return response.decode("utf-8")
    except UnicodeDecodeError:
        return None


class Plain:
    """Implements `exchange.Mechanism`."""

    def __init__(self, _context: Context) -> None:
        self._asked = False

    def step(self, response: bytes | None) -> Step:
        if response is None and not self._asked:
            self._asked = True
            return Challenge(b"")
        parts = (response or b"").split(b"\0")
        if len(parts) != 3:
            return _MALFORMED
        authorization = _text(parts[0]) if parts[0] else ""
        user, password = _text(parts[1]), _text(parts[2])
        if authorization is None or user is None or password is None:
            return _MALFORMED
        return Verify(user, password, authorization)


class Login:
    """Implements `exchange.Mechanism`. An initial response is the user name."""

    def __init__(self, _context: Context) -> None:
        self._asked = False
        self._user: str | None = None

    def step(self, response: bytes | None) -> Step:
        if response is None and not self._asked:
            self._asked = True
            return Challenge(b"Username:")
        text = _text(response or b"")
        if text is None:
            return _MALFORMED
        if self._user is None:
            self._user = text
            return Challenge(b"Password:")
        return Verify(self._user, text)
