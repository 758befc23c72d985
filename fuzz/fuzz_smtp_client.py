"""Any bytes as a server's answers to the client: `python -m fuzz.fuzz_smtp_client [corpus] [-max_total_time=60]`.

The client must end with a result or one of its own errors, however it is answered.
"""

import asyncio
import logging
import ssl
import sys
from typing import cast

import structlog

from everpost.core.errors import EverpostError
from everpost.net.connection import Connection
from everpost.smtp.client import Outgoing, Rcpt, SmtpClient
from tests.smtp.wires import Canned

CONTEXT = ssl.create_default_context()
MESSAGE = Outgoing("a@example.com", (Rcpt("b@example.org"), Rcpt("c@example.org")), b"Subject: x\r\n\r\n.\r\n")
OPENING = b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE\r\n"


def check(data: bytes) -> None:
    """Raises whatever breaks that is no error of ours."""
    size, data = data[0] % 32 + 1 if data else 1, data[1:]
    for speech in (data, OPENING + data):
        pieces: list[bytes | BaseException] = [speech[start : start + size] for start in range(0, len(speech), size)]
        # After the last bytes the stream stays at its end.
        wire = Canned(answers=[*pieces, *[b""] * 50])
        asyncio.run(_talk(wire))


async def _talk(wire: Canned) -> None:
    client = SmtpClient(cast(Connection, wire), "client.example")
    try:
        await client.open()
        await client.start_tls(CONTEXT, "mx.example")
        for _ in range(2):
            result = await client.send(MESSAGE)
            codes = [result.outcome(place).code for place in range(2)]
            assert all(200 <= code < 600 for code in codes)
    except EverpostError:
        pass
    await client.quit()
    assert wire.closed


def main() -> None:
    """Run until told to stop or something breaks."""
    import atheris  # needed only here: not every machine has it

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
