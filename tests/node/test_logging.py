"""One line per event, whatever it holds; what libraries log comes the same way; no local variables."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, warnings
from everpost.node import logging as ours
from everpost.core.log import logger
ours.configure(STYLE, "info", "w7")
log = logger("smtp")
log.debug("unseen.event")
log.info("message.accepted", id="X", text="two\\nlines \\u2028 \\udc80", data=b"\\xff")
logging.getLogger("asyncio").error("Task was destroyed %s", 5)
logging.getLogger("asyncio").info("unseen")
warnings.warn("old thing")
def fail():
    secret = "hidden" + "-password"
    raise ValueError("wrong")
try:
    fail()
except ValueError:
    log.exception("session.broken", peer="192.0.2.1")
"""


def lines(style: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("STYLE", repr(style))], capture_output=True, timeout=60, check=True
    )
    assert ran.stdout == b""
    return ran.stderr.decode().split("\n")[:-1]


def test_json_is_one_object_a_line() -> None:
    events = [json.loads(line) for line in lines("json")]
    assert [event["event"] for event in events] == [
        "message.accepted",
        "library.warned",
        "library.warned",
        "session.broken",
    ]
    assert all(event["worker"] == "w7" and event["timestamp"].endswith("Z") for event in events)
    assert events[0]["room"] == "smtp" and events[0]["text"].startswith("two\nlines")
    assert events[1]["text"] == "Task was destroyed 5" and events[1]["level"] == "error"
    assert "ValueError: wrong" in events[3]["exception"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_local_variables_stay_out(style: str) -> None:
    text = "\n".join(lines(style))
    assert "ValueError: wrong" in text and "hidden-password" not in text
