"""Command lines: which may come when, and what each comes to. Pure functions over a session's standing."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from everpost.core.address import Address
from everpost.core.errors import ProtocolError
from everpost.smtp.extensions import TABLE
from everpost.smtp.extensions.extension import BadParameter
from everpost.smtp.wire.config import ServerConfig
from everpost.smtp.wire.events import (
    AuthCancel,
    AuthResponse,
    AuthStart,
    DataStart,
    Event,
    Hello,
    Mail,
    Quit,
    Recipient,
    Reset,
    StartTls,
    ViolationKind,
)
from everpost.smtp.wire.paths import UnknownParameter, parse_address, parse_parameters, parse_path
from everpost.smtp.wire.reply import Reply

RFCS = (5321, 3207, 4954, 3030)

_MAIL_PARAMETERS = {name: entry for extension in TABLE for name, entry in extension.mail.items()}
_RCPT_PARAMETERS = {name: entry for extension in TABLE for name, entry in extension.rcpt.items()}

TLS_RECORD = b"\x16\x03"
"""How a TLS handshake begins."""
# What browsers, proxies and others say first.
_FOREIGN = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PRI) |\x16\x03|SSH-|\*\d|<")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_MECHANISM = re.compile(r"[A-Za-z0-9_-]{1,20}")


class State(Enum):
    """Where in the order of commands a session is."""

    START = "before HELO"
    READY = "no transaction"
    MAIL = "the sender is known"
    RCPT = "recipients are known"
    CHUNKS = "some chunks have come"


class Standing(Protocol):
    """What a command's meaning depends on: the machine itself, only to be read."""

    config: ServerConfig
    state: State
    tls: bool
    authenticated: bool
    mechanisms: tuple[str, ...]
    smtputf8: bool
    """The transaction was begun with SMTPUTF8."""
    recipients: int
    """Accepted in this transaction."""
    messages: int
    """Ended in this session."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """BDAT's argument."""

    octets: int
    last: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a line comes to: an answer at once, an event, or both."""

    reply: Reply | None = None
    event: Event | None = None
    kind: ViolationKind | None = None
    """The rule that was broken."""
    idle: bool = False
    """A command that brings no message nearer."""
    chunk: Chunk | None = None
    """Bytes that follow; with a reply they are to be thrown away."""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: its handler and when it may come."""

    run: Callable[[str, Standing], Outcome]
    states: tuple[State, ...]
    """A tuple: looking in it compares identities, where a set would hash."""
    before_tls: bool = False
    """May come before TLS where TLS is required."""


def _bad(text: str, status: str = "5.5.4", code: int = 501) -> Outcome:
    return Outcome(Reply(code, status, text), kind=ViolationKind.BAD_SYNTAX)


def _hello(extended: bool) -> Callable[[str, Standing], Outcome]:
    def run(argument: str, _: Standing) -> Outcome:
        if not argument or len(argument) > 255:
            return _bad("a name is needed")
        # The driver of the session hears of the reset by the Hello itself.
        return Outcome(event=Hello(argument, extended), idle=True)

    return run


def _mail(argument: str, standing: Standing) -> Outcome:
    if standing.messages >= standing.config.max_messages:
        return Outcome(Reply(452, "4.5.3", "enough messages in one session, please reconnect"))
    path, text = parse_path(argument, "FROM", "5.1.7")
    values = parse_parameters(text, _MAIL_PARAMETERS)
    address = parse_address(path, "5.1.7") if path else None
    if not argument.isascii() and not values.get("smtputf8"):
        return _bad("an address beyond ASCII needs SMTPUTF8", "5.6.7", 553)
    size = values.get("size")
    if size is not None and size > standing.config.max_size:
        text = f"the message is larger than {standing.config.max_size} octets"
        return Outcome(Reply(552, "5.3.4", text), kind=ViolationKind.TOO_LARGE)
    return Outcome(event=Mail(path, address, **values))


def _rcpt(argument: str, standing: Standing) -> Outcome:
    path, text = parse_path(argument, "TO", "5.1.3")
    values = parse_parameters(text, _RCPT_PARAMETERS)
    if standing.recipients >= standing.config.max_recipients:
        return Outcome(Reply(452, "4.5.3", "too many recipients, send the rest in another message"))
    if path.lower() == "postmaster":
        # RFC 5321 section 4.5.1: postmaster needs no domain.
        return Outcome(event=Recipient(path, Address(path, ""), **values))
    address = parse_address(path, "5.1.3")
    if not standing.smtputf8 and not argument.isascii():
        return _bad("an address beyond ASCII needs SMTPUTF8", "5.6.7", 553)
    return Outcome(event=Recipient(path, address, **values))


def _data(argument: str, _: Standing) -> Outcome:
    if argument:
        return _bad("DATA has no argument")
    return Outcome(event=DataStart())


def _bdat(argument: str, standing: Standing) -> Outcome:
    words = argument.upper().split()
    digits = words[0] if words else ""
    if not digits.isdigit() or len(digits) > 12 or words[1:] not in ([], ["LAST"]):
        # How many bytes follow cannot be known: nothing after this can be trusted.
        return Outcome(Reply(421, "5.5.4", "BDAT needs a size"), kind=ViolationKind.BAD_SYNTAX)
    chunk = Chunk(int(digits), len(words) > 1)
    if standing.state is State.CHUNKS:
        return Outcome(chunk=chunk)
    return Outcome(event=DataStart(), chunk=chunk)


def _rset(argument: str, _: Standing) -> Outcome:
    if argument:
        return _bad("RSET has no argument")
    return Outcome(Reply(250, "2.0.0", "forgotten"), Reset(), idle=True)


def _noop(_argument: str, _: Standing) -> Outcome:
    return Outcome(Reply(250, "2.0.0", "OK"), idle=True)


def _vrfy(argument: str, _: Standing) -> Outcome:
    if not argument:
        return _bad("an address is needed")
    # RFC 5321 section 3.5.3: neither confirmed nor denied.
    return Outcome(Reply(252, "2.5.0", "send a message and see"), idle=True)


def _expn(_argument: str, _: Standing) -> Outcome:
    return Outcome(Reply(502, "5.5.1", "lists are not expanded"), idle=True)


def _help(_argument: str, _: Standing) -> Outcome:
    return Outcome(Reply(214, "2.0.0", "commands: " + " ".join(sorted(COMMANDS))), idle=True)


def _quit(_argument: str, _: Standing) -> Outcome:
    return Outcome(Reply(221, "2.0.0", "goodbye"), Quit())


def _starttls(argument: str, standing: Standing) -> Outcome:
    if argument:
        return _bad("STARTTLS has no argument")
    if standing.tls:
        return Outcome(Reply(503, "5.5.1", "TLS is in use already"), kind=ViolationKind.BAD_SEQUENCE)
    if not standing.config.tls_available:
        return Outcome(Reply(502, "5.5.1", "TLS is not available"))
    if standing.authenticated:
        # RFC 3207 section 4.2 has the server forget who it talks to; better not to begin.
        return Outcome(Reply(503, "5.5.1", "STARTTLS cannot come after AUTH"), kind=ViolationKind.BAD_SEQUENCE)
    return Outcome(event=StartTls())


def _auth(argument: str, standing: Standing) -> Outcome:
    if standing.authenticated:
        return Outcome(Reply(503, "5.5.1", "authenticated already"), kind=ViolationKind.BAD_SEQUENCE)
    mechanism, _, initial = argument.partition(" ")
    if not _MECHANISM.fullmatch(mechanism):
        return _bad("a mechanism is needed")
    if not standing.mechanisms:
        if standing.config.tls_available and not standing.tls:
            # RFC 4954 section 6
            return Outcome(Reply(538, "5.7.11", "encryption is required, use STARTTLS"))
        return Outcome(Reply(502, "5.5.1", "authentication is not available here"))
    if mechanism.upper() not in standing.mechanisms:
        return Outcome(Reply(504, "5.5.4", "this mechanism is not available"))
    data: bytes | None = None
    if initial.strip():
        data = b"" if initial.strip() == "=" else _from_base64(initial.strip())
        if data is None:
            return _bad("malformed base64", "5.5.2")
    return Outcome(event=AuthStart(mechanism.upper(), data))


_UNKNOWN = Outcome(Reply(500, "5.5.2", "unknown command"), kind=ViolationKind.UNKNOWN_COMMAND)
_ANY = tuple(State)
_GREETED = _ANY[1:]

COMMANDS: dict[str, Command] = {
    "HELO": Command(_hello(False), _ANY, before_tls=True),
    "EHLO": Command(_hello(True), _ANY, before_tls=True),
    "MAIL": Command(_mail, (State.READY,)),
    "RCPT": Command(_rcpt, (State.MAIL, State.RCPT)),
    "DATA": Command(_data, (State.RCPT,)),
    "BDAT": Command(_bdat, (State.RCPT, State.CHUNKS)),
    "RSET": Command(_rset, _ANY, before_tls=True),
    "NOOP": Command(_noop, _ANY, before_tls=True),
    "VRFY": Command(_vrfy, _GREETED),
    "EXPN": Command(_expn, _GREETED),
    "HELP": Command(_help, _ANY, before_tls=True),
    "QUIT": Command(_quit, _ANY, before_tls=True),
    "STARTTLS": Command(_starttls, (State.READY,), before_tls=True),
    "AUTH": Command(_auth, (State.READY,)),
}


def interpret(line: bytes, standing: Standing) -> Outcome:
    """What a command line, without its end, comes to. Never raises."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return _foreign_or(line, standing, _bad("commands are UTF-8", "5.5.2", 500))
    verb, _, argument = text.partition(" ")
    command = COMMANDS.get(verb.upper())
    if command is None:
        return _foreign_or(line, standing, _UNKNOWN)
    if _CONTROL.search(text):
        return _bad("a control character in a command", "5.5.2", 500)
    argument = argument.strip(" \t")
    if standing.config.require_tls and not standing.tls and not command.before_tls:
        return Outcome(Reply(530, "5.7.0", "use STARTTLS first"), kind=ViolationKind.BAD_SEQUENCE)
    if standing.state not in command.states:
        return _out_of_order(verb.upper(), argument, standing)
    try:
        return command.run(argument, standing)
    except UnknownParameter as error:
        return _bad(error.text, error.status, 555)
    except BadParameter as error:
        return _bad(error.text, error.status)
    except ProtocolError as error:
        return _bad(error.text, error.status, 501 if error.status == "5.5.4" else 553)


def is_foreign(data: bytes) -> bool:
    """Whether the first bytes of a session belong to another protocol."""
    return bool(_FOREIGN.match(data))


def _foreign_or(line: bytes, standing: Standing, other: Outcome) -> Outcome:
    if standing.state is State.START and is_foreign(line):
        return Outcome(Reply(554, "5.5.0", "this is an SMTP server"), kind=ViolationKind.FOREIGN_PROTOCOL)
    return other


def _out_of_order(verb: str, argument: str, standing: Standing) -> Outcome:
    if standing.state is State.START:
        text = "say EHLO first"
    elif verb in {"DATA", "BDAT"} and standing.state is State.MAIL:
        text = "no recipient was accepted"
    elif verb == "RCPT" or verb in {"DATA", "BDAT"}:
        text = "say MAIL first"
    else:
        text = f"{verb} cannot come now"
    chunk = None
    if verb == "BDAT":
        outcome = _bdat(argument, standing)
        if outcome.chunk is None:
            return outcome
        chunk = outcome.chunk
    code, status = (554, "5.5.1") if text == "no recipient was accepted" else (503, "5.5.1")
    return Outcome(Reply(code, status, text), kind=ViolationKind.BAD_SEQUENCE, chunk=chunk)


def auth_response(line: bytes) -> Outcome:
    """A client's line in a SASL exchange (RFC 4954 section 4)."""
    if line == b"*":
        return Outcome(Reply(501, "5.7.0", "authentication cancelled"), AuthCancel())
    data = _from_base64(line.decode("latin-1"))
    if data is None:
        return Outcome(Reply(501, "5.5.2", "malformed base64"), AuthCancel(), kind=ViolationKind.BAD_SYNTAX)
    return Outcome(event=AuthResponse(data))


def challenge(data: bytes) -> bytes:
    """The line that carries a SASL challenge."""
    return b"334 " + base64.b64encode(data) + b"\r\n"


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
