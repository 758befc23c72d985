"""What the server's machine says by itself."""

from functools import lru_cache

from everpost.smtp.extensions import TABLE
from everpost.smtp.extensions.extension import Facts
from everpost.smtp.wire.events import ViolationKind
from everpost.smtp.wire.reply import Reply

RFCS = (5321, 2034)

FOREIGN = Reply(554, "5.5.0", "this is an SMTP server")
BARE = Reply(500, "5.5.2", "lines end with CR and LF together")
SMUGGLED = Reply(554, "5.6.0", "lines must end with CR and LF together")
TOO_LONG = Reply(500, "5.5.6", "the line is too long")
TOO_MUCH = Reply(500, "5.5.6", "too much input ahead of the replies")
REFUSALS = {
    ViolationKind.TOO_LARGE: Reply(552, "5.3.4", "the message is too large"),
    ViolationKind.BARE_IN_CONTENT: Reply(550, "5.6.0", "the message has lines that end with CR or LF alone"),
}
ENOUGH = {
    ViolationKind.NO_PROGRESS: Reply(421, "4.7.0", "too many commands without a message"),
    ViolationKind.TOO_MANY_ERRORS: Reply(421, "4.7.0", "too many errors"),
}


@lru_cache(maxsize=256)
def hello(reply: Reply, facts: Facts) -> Reply:
    """A 2xx to EHLO with everything announced. Most sessions of a server announce the same."""
    announced = (extension.announce(facts) for extension in TABLE)
    return Reply(reply.code, None, (*reply.lines, *(line for line in announced if line)))
