"""Where the corpus of real mail lies: beside the repository, or where EVERPOST_CORPUS says."""

import os
from pathlib import Path


def corpus() -> Path:
    """The folder. Raises FileNotFoundError if it is not there: a test without its material must not pass."""
    path = Path(os.environ.get("EVERPOST_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
    if not path.is_dir():
        raise FileNotFoundError(f"the corpus of real mail is not at {path}; set EVERPOST_CORPUS")
    return path


def mails(*folders: str) -> list[Path]:
    """The messages in these folders of the corpus, sorted."""
    found = [path for folder in folders for path in sorted((corpus() / folder).iterdir()) if path.is_file()]
    assert found
    return found


def crlf(raw: bytes) -> bytes:
    """With CRLF line ends, as SMTP carries it."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
