"""The server's machine in SMTP's own words: every file of `transcripts/`."""

from pathlib import Path

import pytest

from tests.smtp.transcript import Transcript, load, run

TRANSCRIPTS = list(load(Path(__file__).parent / "transcripts"))


@pytest.mark.parametrize("size", [0, 1, 7], ids=["whole", "bytes", "sevens"])
@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda transcript: transcript.name)
def test_transcript(transcript: Transcript, size: int) -> None:
    run(transcript, size)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) > 40
