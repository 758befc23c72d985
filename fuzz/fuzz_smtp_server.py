"""Any bytes for the server's machine of SMTP: `python -m fuzz.fuzz_smtp_server [corpus] [-max_total_time=60]`.

The first byte chooses how the others are cut; cut or whole, they must come to the same.
"""

import sys

from everpost.smtp.wire.server import ServerConfig
from tests.smtp.scripted import Scripted
from tests.smtp.test_cuts import hear

CONFIG = ServerConfig("mx.example", max_size=200, max_recipients=3, max_errors=8, tls_available=True)
GREETED = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever breaks, if the machine is at fault."""
    size, data = data[0] % 16 + 1 if data else 1, data[1:]
    for speech in (data, GREETED + data, GREETED + b"DATA\r\n" + data):
        assert hear([speech[start : start + size] for start in range(0, len(speech), size)]) == hear([speech])
        session = Scripted.begin(CONFIG, ("PLAIN", "LOGIN"))
        session.greet()
        session.feed(speech, size)
        if session.upgrading:
            session.start_tls()
            session.feed(speech, size)
        session.hang_up()
        assert session.finished or session.upgrading


def main() -> None:
    """Run until told to stop or something breaks."""
    import atheris  # needed only here: not every machine has it

    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
