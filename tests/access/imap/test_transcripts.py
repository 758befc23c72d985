"""Conversations with the server, written down in `transcripts/`."""

from collections.abc import Callable

import pytest

from tests.access.imap.transcript import FOLDER, Disagreement, run
from tests.access.imap.world import World, fake_world

FILES = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", FILES)
async def test_transcript(name: str, make_world: Callable[..., World]) -> None:
    await run((FOLDER / f"{name}.txt").read_text(), make_world)


@pytest.mark.parametrize(
    "text",
    [
        "! client 1 tls login\nC: a NOOP\nS: a OK NOOP complete",
        "! client 1 tls login\nC: a NOOP",
        "! client 1 tls login\nC: a NOOP\nS: a OK NOOP completed\nS: * OK",
        "! client 1 tls login\nC: a NOOP\nC: b NOOP\nS: a OK NOOP completed\nS: b OK NOOP completed",
        "! client 1 tls login\n! ends 1",
    ],
)
async def test_the_runner_sees_what_is_wrong(text: str) -> None:
    with pytest.raises(Disagreement):
        await run(text, fake_world)
