"""What a remote server is told to do otherwise: rules by step, taken in the order they were given."""

from dataclasses import dataclass, field
from enum import Enum

STEPS = frozenset(
    {"CONNECT", "EHLO", "HELO", "STARTTLS", "HANDSHAKE", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT", "END"}
    | {"BDAT", "RSET", "NOOP", "VRFY", "QUIT"}
)


class Act(Enum):
    """How a step ends."""

    ANSWER = "answer"
    DROP = "drop"
    RESET = "reset"
    HANG = "hang"


@dataclass(slots=True)
class Rule:
    """One rule for a step."""

    step: str
    act: Act
    text: bytes = b""
    """The answer, with its line ends."""
    when: str = ""
    """Only if the command line (at END: the message) contains this."""
    skip: int = 0
    """How many matches to let pass first."""
    times: int | None = None
    """For how many matches; None for always."""
    keep: bool = False
    """At END: the message counts as received although the sender does not hear so."""


@dataclass(slots=True)
class Script:
    """All rules of a server. Changed from the test's thread while the server's loop reads it: single steps only."""

    _rules: list[Rule] = field(default_factory=list)
    _delays: list[tuple[str, float]] = field(default_factory=list)

    def answer(self, step: str, reply: str | bytes, *, when: str = "", skip: int = 0, times: int | None = None) -> None:
        """Answer a step so. Text gets its line end, of several lines as they should be; bytes go out as they are."""
        self._add(Rule(step, Act.ANSWER, _wire(reply), when, skip, times))

    def drop(
        self,
        step: str,
        *,
        when: str = "",
        skip: int = 0,
        times: int | None = None,
        reset: bool = False,
        keep: bool = False,
    ) -> None:
        """End the connection at a step, in place of an answer; by RST if `reset`."""
        self._add(Rule(step, Act.RESET if reset else Act.DROP, b"", when, skip, times, keep))

    def hang(self, step: str, *, when: str = "", skip: int = 0, times: int | None = None) -> None:
        """Never answer a step, and keep the connection."""
        self._add(Rule(step, Act.HANG, b"", when, skip, times))

    def delay(self, step: str, seconds: float) -> None:
        """Wait before a step is answered; at CONTENT: before the message is read."""
        assert step in STEPS, step
        self._delays.append((step, seconds))

    def forget(self) -> None:
        """Drop all rules: behave again."""
        self._rules = []
        self._delays = []

    def delay_of(self, step: str) -> float:
        return sum(seconds for named, seconds in self._delays if named == step)

    def rule(self, step: str, text: str) -> Rule | None:
        """The rule for this step now; counts it."""
        for rule in self._rules:
            if rule.step != step or rule.when.lower() not in text.lower() or rule.times == 0:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule
        return None

    def _add(self, rule: Rule) -> None:
        assert rule.step in STEPS, rule.step
        self._rules.append(rule)


def _wire(reply: str | bytes) -> bytes:
    """`250 fine` or `550 no\\nreally not` as the lines of a reply."""
    if isinstance(reply, bytes):
        return reply
    code, text = reply[:3], reply[4:]
    lines = text.split("\n")
    marks = ["-"] * (len(lines) - 1) + [" "]
    return "".join(f"{code}{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)).encode()
