"""A session that answers a server machine by fixed rules, so that a test shows what the machine does."""

from dataclasses import dataclass, field

from everpost.smtp.wire import events
from everpost.smtp.wire.reply import Reply
from everpost.smtp.wire.server import ServerConfig, ServerMachine

# What the local part of an address makes the session say.
SAID = {
    "nobody": Reply(550, "5.1.1", "no such mailbox"),
    "later": Reply(451, "4.3.0", "come back later"),
    "closing": Reply(421, "4.3.2", "closing"),
}
LOGIN = b"\0user\0secret"


@dataclass
class Scripted:
    """Holds the machine; `feed` does what the driver of `net` does."""

    machine: ServerMachine
    told: list[events.Event] = field(default_factory=list)
    """Every event, pieces of content joined."""
    messages: list[bytes] = field(default_factory=list)
    finished: bool = False
    upgrading: bool = False
    _content: list[bytes] = field(default_factory=list)

    @classmethod
    def begin(cls, config: ServerConfig, mechanisms: tuple[str, ...] = ()) -> "Scripted":
        machine = ServerMachine(config)
        machine.mechanisms = mechanisms
        return cls(machine)

    def greet(self) -> bytes:
        self.machine.greet(Reply(220, None, "mx.example ESMTP"))
        return self.pump()

    def feed(self, data: bytes, size: int = 0) -> bytes:
        """Hand in bytes, in pieces of `size` if given; what the machine says to them."""
        said = b""
        for start in range(0, len(data), size or len(data) or 1):
            if self.finished or self.upgrading:
                break
            self.machine.receive_data(data[start : start + size] if size else data)
            said += self.pump()
        return said

    def hang_up(self) -> bytes:
        self.machine.receive_eof()
        return self.pump()

    def start_tls(self) -> None:
        assert self.upgrading, "nobody asked for TLS"
        self.upgrading = False
        self.machine.tls_started()

    def pump(self) -> bytes:
        while not self.finished and not self.upgrading:
            event = self.machine.next_event()
            if event is None:
                break
            self.handle(event)
        return self.machine.data_to_send()

    def handle(self, event: events.Event) -> None:
        answer = self.machine.reply
        if isinstance(event, events.Content):
            self._content.append(event.data)
            return
        self.told.append(event)
        match event:
            case events.Hello():
                answer(Reply(250, None, "mx.example"))
            case events.StartTls():
                answer(Reply(220, "2.0.0", "go ahead"))
                self.upgrading = True
            case events.AuthStart(mechanism=mechanism, initial=initial):
                if mechanism == "LOGIN":
                    self.machine.challenge(b"Username:")
                elif initial is None:
                    self.machine.challenge(b"")
                else:
                    self._check(initial)
            case events.AuthResponse(data=data):
                self._check(data)
            case events.Mail():
                answer(self._about(event.path, Reply(250, "2.1.0", "sender is fine")))
            case events.Recipient():
                answer(self._about(event.path, Reply(250, "2.1.5", "recipient is fine")))
            case events.DataStart():
                self._content.clear()
                sender = next(event for event in reversed(self.told) if isinstance(event, events.Mail))
                refusal = Reply(451, "4.3.1", "no room")
                answer(refusal if sender.path.startswith("nodata@") else Reply(354, None, "go on"))
            case events.ContentEnd():
                message = b"".join(self._content)
                assert event.size == len(message)
                if b"refuse me" in message:
                    answer(Reply(554, "5.7.1", "not this one"))
                else:
                    self.messages.append(message)
                    answer(Reply(250, "2.0.0", f"kept {len(message)}"))
            case events.Quit() | events.Closed():
                self.finished = True
            case _:
                pass

    def _check(self, response: bytes) -> None:
        fine = response == LOGIN
        self.machine.reply(Reply(235, "2.7.0", "welcome") if fine else Reply(535, "5.7.8", "wrong credentials"))

    @staticmethod
    def _about(path: str, otherwise: Reply) -> Reply:
        return SAID.get(path.partition("@")[0], otherwise)

    @property
    def violations(self) -> list[str]:
        return [event.kind.name for event in self.told if isinstance(event, events.Violation)]
