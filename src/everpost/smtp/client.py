"""Sending messages to another server over a connection: pipelined, with what the server offers."""

import base64
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from everpost.core.clock import Clock, SystemClock
from everpost.core.errors import EverpostError, Refused, TryLater
from everpost.core.log import logger
from everpost.net.connection import Connection, ConnectionLost
from everpost.smtp.wire.client import BadReply, ReplyReader, command, extensions, limit, parameter
from everpost.smtp.wire.data import are_clean, stuff
from everpost.smtp.wire.reply import Reply

log = logger("smtp")

RFCS = (5321, 2920, 1870, 6152, 6531, 3461, 3207, 9422)

# RFC 5321 section 4.5.3.2: how long to wait for each reply (seconds).
TIMEOUTS = {
    "greeting": 300.0,
    "EHLO": 300.0,
    "STARTTLS": 120.0,
    "MAIL": 300.0,
    "RCPT": 300.0,
    "DATA": 120.0,
    "block": 180.0,
    "end": 600.0,
    "QUIT": 5.0,
}
# Bytes written before waiting for the network to take them.
_SLICE = 256 * 1024


class Unexpected(TryLater):
    """The server answered otherwise than it should, before any recipient was named."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply), status=reply.status or "4.5.0")
        self.reply = reply


class CannotCarry(Refused):
    """The server lacks an extension that the message needs."""

    default_status = "5.6.3"


class Interrupted(TryLater):
    """The connection ended within a transaction."""

    default_status = "4.4.2"

    def __init__(self, text: str, *, outcome_unknown: bool) -> None:
        super().__init__(text)
        self.outcome_unknown = outcome_unknown
        """The end of the data had been sent: the message may have been accepted."""


@dataclass(frozen=True, slots=True)
class Rcpt:
    """A recipient with what its notices need."""

    path: str
    notify: frozenset[str] = frozenset()
    orcpt: str = ""
    """`type;address`."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for some recipients of one host."""

    reverse_path: str
    recipients: tuple[Rcpt, ...]
    raw: bytes
    smtputf8: bool = False
    """An address or the header is not ASCII."""
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What the server said, recipient by recipient in the order asked."""

    recipients: tuple[Reply, ...]
    """To RCPT, or to MAIL where that was refused; a positive one counts only if `end` is positive."""
    end: Reply | None
    """To the message; None if it was not sent."""

    def outcome(self, place: int) -> Reply:
        """What became of a recipient."""
        reply = self.recipients[place]
        return self.end if reply.is_positive and self.end is not None else reply


@dataclass(slots=True)
class SmtpClient:
    """A session with a server. `open`, perhaps `start_tls`, `send` as often as wanted, `quit`."""

    connection: Connection
    hello: str
    """Our own name."""
    offers: dict[str, str] = field(default_factory=dict)
    """What the server offers, by keyword."""
    greeting: Reply | None = None
    clock: Clock = field(default_factory=SystemClock)
    _reader: ReplyReader = field(default_factory=ReplyReader)

    async def open(self) -> None:
        """Hear the greeting and say hello. Raises Unexpected, ConnectionLost, BadReply."""
        self.greeting = await self._reply("greeting")
        if not self.greeting.is_positive:
            raise Unexpected(self.greeting)
        await self._say_hello()

    async def _say_hello(self) -> None:
        self.connection.send(command("EHLO", self.hello))
        reply = await self._reply("EHLO")
        if reply.is_positive:
            self.offers = extensions(reply)
            return
        if not reply.is_permanent:
            raise Unexpected(reply)
        # RFC 5321 section 3.2: a server that does not know EHLO knows HELO.
        self.connection.send(command("HELO", self.hello))
        reply = await self._reply("EHLO")
        if not reply.is_positive:
            raise Unexpected(reply)
        self.offers = {}

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> bool:
        """Begin TLS if the server offers it; False if it does not or refuses. Raises ConnectionLost."""
        if "STARTTLS" not in self.offers:
            return False
        self.connection.send(command("STARTTLS"))
        reply = await self._reply("STARTTLS")
        if reply.code != 220:
            return False
        # What was said in clear after the 220 was not said by the server we shake hands with.
        self._reader.forget()
        await self.connection.start_tls(context, server_side=False, server_hostname=server_name)
        await self._say_hello()
        return True

    async def login(self, user: str, password: str) -> None:
        """AUTH PLAIN, for smart hosts. Raises Unexpected."""
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.connection.send(command("AUTH", "PLAIN", secret))
        reply = await self._reply("MAIL")
        if not reply.is_positive:
            raise Unexpected(reply)

    async def send(self, message: Outgoing) -> SendResult:
        """Send one message. Raises CannotCarry, Interrupted, BadReply.

        Recipients beyond the number the server announced (RFC 9422) are not tried and get 452.
        """
        mail = self._mail(message)
        most = limit(self.offers, "RCPTMAX") or len(message.recipients)
        rcpts = [self._rcpt(recipient) for recipient in message.recipients[:most]]
        if "PIPELINING" in self.offers:
            result = await self._send_pipelined(message, mail, rcpts)
        else:
            result = await self._send_stepwise(message, mail, rcpts)
        left = len(message.recipients) - len(rcpts)
        if left:
            wait = Reply(452, "4.5.3", f"the server takes {most} recipients at a time")
            return SendResult((*result.recipients, *[wait] * left), result.end)
        return result

    async def quit(self) -> None:
        """Say goodbye and close; never raises."""
        try:
            self.connection.send(command("QUIT"))
            await self._reply("QUIT")
        except EverpostError as error:
            log.debug("goodbye.unheard", peer=self.connection.peer.host, reason=error.text)
        await self.connection.close()

    def _mail(self, message: Outgoing) -> bytes:
        if not are_clean(message.raw):
            # Another server may see the end of the data where we see a line (RFC 5321 section 2.3.8).
            raise CannotCarry("the message has lines that end with CR or LF alone", status="5.6.0")
        words = [f"MAIL FROM:<{message.reverse_path}>"]
        if "SIZE" in self.offers:
            limit = self.offers["SIZE"]
            if limit.isdigit() and 0 < int(limit) < len(message.raw):
                raise CannotCarry("the message is larger than the server takes", status="5.3.4")
            words.append(f"SIZE={len(message.raw)}")
        if "8BITMIME" in self.offers and not message.raw.isascii():
            # Unlike RFC 6152 section 3, which has such a message converted or returned where 8BITMIME is not
            # offered: it is sent as it is, because servers without it take 8-bit bodies all the same.
            words.append("BODY=8BITMIME")
        if message.smtputf8:
            if "SMTPUTF8" not in self.offers:
                raise CannotCarry("the server cannot take addresses beyond ASCII", status="5.6.7")
            words.append("SMTPUTF8")
        if "DSN" in self.offers:
            words += [f"RET={message.ret}" if message.ret else "", parameter("ENVID", message.envid)]
        return command(*words)

    def _rcpt(self, recipient: Rcpt) -> bytes:
        words = [f"RCPT TO:<{recipient.path}>"]
        if "DSN" in self.offers:
            if recipient.notify:
                words.append("NOTIFY=" + ",".join(sorted(recipient.notify)))
            kind, _, address = recipient.orcpt.partition(";")
            if address:
                words.append(f"ORCPT={kind};{parameter('', address)[1:]}")
        return command(*words)

    async def _send_pipelined(self, message: Outgoing, mail: bytes, rcpts: Sequence[bytes]) -> SendResult:
        """MAIL, all RCPT and DATA in one write (RFC 2920 section 3.1)."""
        self.connection.send(b"".join((mail, *rcpts, command("DATA"))))
        replies = deque([await self._within("MAIL")])
        go: Reply | None = None
        try:
            for _ in rcpts:
                replies.append(await self._within("RCPT"))
            go = await self._within("DATA")
        except (Interrupted, BadReply):
            # A server that has refused everything may say so and close at once.
            missing = len(rcpts) + 1 - len(replies)
            if replies[0].is_positive and (missing or any(reply.is_positive for reply in list(replies)[1:])):
                raise
            self.connection.abort()
            replies.extend(replies[0] for _ in range(missing))
        answered = self._answers(replies)
        if go is None:
            return SendResult(answered, None)
        wanted = any(reply.is_positive for reply in answered)
        if go.code != 354:
            if wanted:
                answered = tuple(go if reply.is_positive else reply for reply in answered)
            elif go.is_positive:
                raise Interrupted("the server accepted no recipient and yet a message", outcome_unknown=False)
            await self._reset()
            return SendResult(answered, None)
        if not wanted:
            # RFC 2920 section 3.1: the server waits for content although it has no recipient.
            self.connection.send(b".\r\n")
            await self._settle("end")
            return SendResult(answered, None)
        return SendResult(answered, await self._content(message.raw))

    async def _send_stepwise(self, message: Outgoing, mail: bytes, rcpts: Sequence[bytes]) -> SendResult:
        self.connection.send(mail)
        replies = deque([await self._within("MAIL")])
        if replies[0].is_positive:
            for rcpt in rcpts:
                self.connection.send(rcpt)
                replies.append(await self._within("RCPT"))
        else:
            replies.extend(replies[0] for _ in rcpts)
        answered = self._answers(replies)
        if not any(reply.is_positive for reply in answered):
            await self._reset()
            return SendResult(answered, None)
        self.connection.send(command("DATA"))
        go = await self._within("DATA")
        if go.code != 354:
            await self._reset()
            return SendResult(tuple(go if reply.is_positive else reply for reply in answered), None)
        return SendResult(answered, await self._content(message.raw))

    @staticmethod
    def _answers(replies: "deque[Reply]") -> tuple[Reply, ...]:
        """The replies to RCPT; where MAIL was refused, that reply for each."""
        mail = replies.popleft()
        return tuple(replies) if mail.is_positive else tuple(mail for _ in replies)

    async def _content(self, raw: bytes) -> Reply:
        data = memoryview(stuff(raw))
        sent = 0
        try:
            for start in range(0, len(data), _SLICE):
                self.connection.send(bytes(data[start : start + _SLICE]))
                sent = start + _SLICE
                await self.connection.drain(TIMEOUTS["block"])
        except ConnectionLost as error:
            # With the last slice the end went out: the server may have it.
            return await self._last_words(error, outcome_unknown=sent >= len(data))
        try:
            return await self._within("end", outcome_unknown=True)
        except BadReply as error:
            # RFC 1047: it may have been a yes.
            raise Interrupted(error.text, outcome_unknown=True) from error

    async def _last_words(self, lost: ConnectionLost, *, outcome_unknown: bool) -> Reply:
        """The refusal of a server that did not wait for the end of the message. Raises Interrupted."""
        try:
            reply = await self._reply("QUIT")
        except (ConnectionLost, BadReply):
            reply = None
        if reply is None or reply.code < 400:
            text = "the connection was lost within the message"
            raise Interrupted(text, outcome_unknown=outcome_unknown) from lost
        return reply

    async def _reset(self) -> None:
        self.connection.send(command("RSET"))
        await self._settle("DATA")

    async def _settle(self, what: str) -> None:
        """Hear an answer that changes nothing any more: what became of the recipients is known."""
        try:
            await self._reply(what)
        except (ConnectionLost, BadReply) as error:
            log.debug("session.spoiled", peer=self.connection.peer.host, reason=error.text)
            self.connection.abort()

    async def _within(self, what: str, *, outcome_unknown: bool = False) -> Reply:
        """A reply inside a transaction. Raises Interrupted, BadReply; 421 interrupts as well."""
        try:
            reply = await self._reply(what)
        except ConnectionLost as error:
            raise Interrupted(error.text, outcome_unknown=outcome_unknown) from error
        if reply.code == 421 and not outcome_unknown:
            raise Interrupted(str(reply), outcome_unknown=False)
        return reply

    async def _reply(self, what: str) -> Reply:
        """The next reply. Raises ConnectionLost (also when it takes too long), BadReply."""
        deadline = self.clock.monotonic() + TIMEOUTS[what]
        while (reply := self._reader.next_reply()) is None:
            left = deadline - self.clock.monotonic()
            try:
                if left <= 0:
                    # A server that says a little now and then has no more time than a silent one.
                    raise TimeoutError
                data = await self.connection.receive(left)
            except TimeoutError as error:
                self.connection.abort()
                raise ConnectionLost(f"no reply to {what} in time") from error
            if data is None:
                continue
            if not data:
                raise ConnectionLost("the server closed the connection")
            self._reader.feed(data)
        return reply
