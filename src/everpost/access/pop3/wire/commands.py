"""Command lines: which may come when, and what each comes to. Pure functions over a session's standing."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from everpost.access.pop3.wire import events
from everpost.access.pop3.wire.events import Event

RFCS = (1939, 2449, 2595, 5034, 6856)

_NUMBER = re.compile(r"[0-9]{1,10}")
_MECHANISM = re.compile(r"[A-Za-z0-9_-]{1,20}")


class State(Enum):
    """RFC 1939 section 3."""

    AUTHORIZATION = "nobody has logged in"
    TRANSACTION = "a maildrop is open"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a command's meaning depends on."""

    state: State
    tls: bool
    tls_available: bool
    mechanisms: tuple[str, ...]
    """SASL mechanisms that can be used now; none: nobody may log in now, by USER and PASS neither."""
    user: str | None
    """What USER said."""
    utf8: bool
    """UTF8 was said."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a line comes to: an answer at once, or an event."""

    reply: bytes = b""
    event: Event | None = None
    refused: bool = False
    user: str | None = None
    """Remember this until PASS."""
    utf8: bool = False
    """From now on in UTF-8."""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: its handler and when it may come."""

    run: Callable[[str, Standing], Outcome]
    states: frozenset[State]


def ok(text: str = "") -> bytes:
    """A positive reply."""
    return f"+OK {text}\r\n".encode() if text else b"+OK\r\n"


def err(text: str, code: str | None = None) -> bytes:
    """A negative reply, with a response code (RFC 2449 section 8)."""
    return f"-ERR [{code}] {text}\r\n".encode() if code else f"-ERR {text}\r\n".encode()


def listing(text: str, lines: list[str]) -> bytes:
    """A positive reply of several lines, none of which may begin with a dot."""
    return ok(text) + "".join(f"{line}\r\n" for line in lines).encode() + b".\r\n"


def _refuse(text: str, code: str | None = None) -> Outcome:
    return Outcome(err(text, code), refused=True)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) and int(text) > 0 else None


def _user(argument: str, standing: Standing) -> Outcome:
    if not standing.mechanisms:
        return _no_login(standing)
    if not argument:
        return _refuse("a user name is needed")
    # The same for everybody: who exists is not told.
    return Outcome(ok("now the password"), user=argument)


def _pass(argument: str, standing: Standing) -> Outcome:
    if not standing.mechanisms:
        return _no_login(standing)
    if standing.user is None:
        return _refuse("say USER first")
    return Outcome(event=events.Password(standing.user, argument))


def _no_login(standing: Standing) -> Outcome:
    if standing.tls_available and not standing.tls:
        return _refuse("encryption is required, use STLS")
    return _refuse("nobody can log in here")


def _auth(argument: str, standing: Standing) -> Outcome:
    if not argument:
        # Older mail programs ask so what there is.
        return Outcome(listing("mechanisms follow", list(standing.mechanisms)))
    if not standing.mechanisms:
        return _no_login(standing)
    name, _, text = argument.partition(" ")
    if not _MECHANISM.fullmatch(name) or name.upper() not in standing.mechanisms:
        return _refuse("this mechanism is not available")
    if not text:
        return Outcome(event=events.AuthStart(name.upper(), None))
    data = b"" if text == "=" else from_base64(text)
    if data is None:
        return _refuse("malformed base64")
    return Outcome(event=events.AuthStart(name.upper(), data))


def _stls(argument: str, standing: Standing) -> Outcome:
    if argument:
        return _refuse("STLS has no argument")
    if standing.tls:
        return _refuse("TLS is in use already")
    if not standing.tls_available:
        return _refuse("TLS is not available")
    if standing.utf8:
        # RFC 6856 section 2: STLS comes before UTF8.
        return _refuse("STLS cannot follow UTF8")
    return Outcome(event=events.StartTls())


def _capa(argument: str, standing: Standing) -> Outcome:
    if argument:
        return _refuse("CAPA has no argument")
    lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "UTF8 USER", "LANG"]
    if standing.mechanisms:
        lines += ["USER", "SASL " + " ".join(standing.mechanisms)]
    if standing.tls_available and not standing.tls:
        lines.append("STLS")
    if standing.state is State.TRANSACTION:
        lines.append("IMPLEMENTATION Everpost")
    return Outcome(listing("capabilities follow", lines))


def _utf8(argument: str, _: Standing) -> Outcome:
    if argument:
        return _refuse("UTF8 has no argument")
    return Outcome(ok("UTF-8 it is"), utf8=True)


def _lang(argument: str, _: Standing) -> Outcome:
    """RFC 6856 section 3; we know English only."""
    if not argument:
        return Outcome(listing("languages follow", ["en English"]))
    if argument == "*" or argument.lower().partition("-")[0] == "en":
        return Outcome(ok("en English it is"))
    return _refuse("this language is not available")


def _noop(_argument: str, _: Standing) -> Outcome:
    return Outcome(ok())


def _quit(_argument: str, standing: Standing) -> Outcome:
    return Outcome(event=events.Quit(standing.state is State.TRANSACTION))


def _bare(event: Event) -> Callable[[str, Standing], Outcome]:
    """A command without argument."""

    def run(argument: str, _: Standing) -> Outcome:
        return _refuse("no argument is expected") if argument else Outcome(event=event)

    return run


def _one_or_all(make: Callable[[int | None], Event]) -> Callable[[str, Standing], Outcome]:
    """A command about one message, or about all without argument."""

    def run(argument: str, _: Standing) -> Outcome:
        if not argument:
            return Outcome(event=make(None))
        number = _number(argument)
        return _refuse("no such message") if number is None else Outcome(event=make(number))

    return run


def _one(make: Callable[[int], Event]) -> Callable[[str, Standing], Outcome]:
    """A command about one message."""

    def run(argument: str, _: Standing) -> Outcome:
        number = _number(argument)
        return _refuse("no such message") if number is None else Outcome(event=make(number))

    return run


def _top(argument: str, _: Standing) -> Outcome:
    words = argument.split()
    if len(words) != 2 or not _NUMBER.fullmatch(words[1]):
        return _refuse("TOP needs a message and a number of lines")
    number = _number(words[0])
    return _refuse("no such message") if number is None else Outcome(event=events.Retrieve(number, int(words[1])))


_BEFORE = frozenset({State.AUTHORIZATION})
_AFTER = frozenset({State.TRANSACTION})
_ANY = frozenset(State)

COMMANDS: dict[str, Command] = {
    "USER": Command(_user, _BEFORE),
    "PASS": Command(_pass, _BEFORE),
    "AUTH": Command(_auth, _BEFORE),
    "STLS": Command(_stls, _BEFORE),
    "UTF8": Command(_utf8, _BEFORE),
    "CAPA": Command(_capa, _ANY),
    "LANG": Command(_lang, _ANY),
    "QUIT": Command(_quit, _ANY),
    "STAT": Command(_bare(events.Stat()), _AFTER),
    "LIST": Command(_one_or_all(events.List), _AFTER),
    "UIDL": Command(_one_or_all(events.Uidl), _AFTER),
    "RETR": Command(_one(events.Retrieve), _AFTER),
    "TOP": Command(_top, _AFTER),
    "DELE": Command(_one(events.Delete), _AFTER),
    "RSET": Command(_bare(events.Reset()), _AFTER),
    "NOOP": Command(_noop, _AFTER),
}


def interpret(line: bytes, standing: Standing) -> Outcome:
    """What a command line, without its end, comes to. Never raises."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return _refuse("commands are UTF-8")
    verb, _, argument = text.partition(" ")
    command = COMMANDS.get(verb.upper())
    if command is None or "\0" in text or "\r" in text:
        return _refuse("unknown command")
    if standing.state not in command.states:
        return _refuse("log in first" if standing.state is State.AUTHORIZATION else f"{verb.upper()} cannot come now")
    # A password may begin or end with blanks.
    return command.run(argument if verb.upper() == "PASS" else argument.strip(), standing)


def auth_response(line: bytes) -> Outcome:
    """A client's line in a SASL exchange (RFC 5034 section 4)."""
    if line == b"*":
        return Outcome(err("cancelled"), events.AuthCancel(), refused=True)
    data = from_base64(line.decode("latin-1"))
    if data is None:
        return Outcome(err("malformed base64"), events.AuthCancel(), refused=True)
    return Outcome(event=events.AuthResponse(data))


def from_base64(text: str) -> bytes | None:
    """None for what is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
