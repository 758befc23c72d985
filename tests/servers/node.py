"""An Everpost node as real processes, on free ports: started, watched, hurt and ended by tests."""

import atexit
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.ports import free_base
from tests.servers.processes import alive, children, command, cpu_seconds, end, guarded, kill_all, tree, wait_until

START_SECONDS = 60.0
STOP_SECONDS = 30.0

DOMAIN = "example.test"
PASSWORD = "correct-horse-battery"

PORTS = {
    "smtp": 25,
    "http": 80,
    "pop3": 110,
    "imap": 143,
    "https": 443,
    "submissions": 465,
    "submission": 587,
    "imaps": 993,
    "pop3s": 995,
    "managesieve": 4190,
}

# What a healthy node never writes outside of events.
_FAULTS = re.compile(r"Traceback \(most recent call last\)|Task was destroyed|never retrieved|Fatal Python error")


def _is_fault(event: dict[str, Any]) -> bool:
    """Whether an event tells of a fault of ours. A worker that was killed is none."""
    return "exception" in event or (event["level"] == "error" and event["event"].endswith(".broken"))


class Node:
    """`everpost demo` with its own folder and ports; with `settings`, `everpost serve` on what the demo has made."""

    def __init__(
        self,
        database: str | None = None,
        *,
        users: int = 3,
        workers: int | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """`database` is a URL, None for SQLite in the node's folder; `settings` by section and key."""
        self.base = free_base(tuple(PORTS.values()))
        self.folder = Path(tempfile.mkdtemp(prefix="everpost-node-", dir="/tmp"))
        self.users = users
        self._database = database
        self._workers = workers
        self._settings = settings
        self._demo = True
        """Whether the demo is what runs, or runs next."""
        self._process: subprocess.Popen[bytes] | None = None
        self.tolerated: list[str] = []
        """Regular expressions of log lines that are no faults in this test."""

    def port(self, service: str) -> int:
        """The port of `smtp`, `imaps` and so on."""
        return self.base + PORTS[service]

    @staticmethod
    def address(number: int) -> str:
        """The address of one of the demo's accounts; its password is PASSWORD."""
        return f"user{number}@{DOMAIN}"

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self._process is not None, "the node is not running"
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything printed and logged so far, over all starts."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def settings_file(self) -> Path:
        """The settings the node runs with."""
        return self.folder / "data" / "everpost.toml"

    @property
    def certificate(self) -> Path:
        """Its self-signed certificate, good for `localhost`."""
        return self.folder / "data" / "cert.pem"

    def start(self, *, wait: bool = True) -> None:
        """Start it and wait until it is ready."""
        if self._settings is not None and self._demo:
            # The demo makes folder, certificate, accounts and a settings file; then it is the real thing's turn.
            self._run_demo()
            self.wait_ready()
            self.end()
            self._demo = False
            self._change_settings(self._settings)
        if self._demo:
            self._run_demo()
        else:
            self._run("serve", "--settings", str(self.settings_file))
        if wait:
            self.wait_ready()

    def _run_demo(self) -> None:
        arguments = ["--base-port", str(self.base), "--dir", str(self.folder / "data")]
        arguments += ["--users", str(self.users), "--password", PASSWORD]
        if self._database is not None:
            arguments += ["--database", self._database]
        if self._workers is not None:
            arguments += ["--workers", str(self._workers)]
        self._run("demo", *arguments)

    def _run(self, *arguments: str) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                guarded([str(Path(sys.executable).with_name("everpost")), *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
            )
        atexit.register(self.remove)

    def _change_settings(self, changes: Mapping[str, Mapping[str, object]]) -> None:
        sections = tomllib.loads(self.settings_file.read_text())
        for name, values in changes.items():
            sections.setdefault(name, {}).update(values)
        lines = []
        for name, values in sections.items():
            # JSON's texts, numbers, truths and lists are TOML's too.
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
        self.settings_file.write_text("\n".join(lines))

    def wait_ready(self) -> None:
        """Wait until it says that it is ready and its mail ports answer."""
        try:
            wait_until(self.ready, START_SECONDS, "the node is ready", pause=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-6000:]}") from None

    def ready(self) -> bool:
        """True if /health/ready says so and SMTP and IMAP greet. Raises AssertionError if it has ended."""
        assert self._process is not None and self._process.poll() is None, "the node has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port('http')}/health/ready", timeout=5) as answer:
                if answer.status != 200:
                    return False
            return self.greeting("smtp").startswith(b"220") and self.greeting("imap").startswith(b"* OK")
        except OSError:
            return False

    def greeting(self, service: str) -> bytes:
        """The first line a plain-text port says. Raises OSError."""
        with socket.create_connection(("127.0.0.1", self.port(service)), timeout=5) as connection:
            return connection.makefile("rb").readline()

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return [pid for pid in children(self.pid) if "resource_tracker" not in command(pid)]

    def kill_worker(self, chance: random.Random) -> bool:
        """SIGKILL to a random worker; False if there is none."""
        workers = self.workers()
        if workers:
            kill_all([chance.choice(workers)])
        return bool(workers)

    def serving(self) -> int:
        """How many workers listen on the SMTP port."""
        place = f" 0100007F:{self.port('smtp'):04X} 00000000:0000 0A "
        return Path("/proc/net/tcp").read_text().count(place)

    def family(self) -> list[int]:
        """All processes of the node."""
        return tree(self.pid)

    def command(self, *arguments: str) -> Any:
        """Run a command of `everpost` against this node; what it prints as JSON."""
        program = str(Path(sys.executable).with_name("everpost"))
        ran = subprocess.run(
            [program, *arguments, "--settings", str(self.settings_file), "--json"],
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, (arguments, ran.returncode, ran.stdout, ran.stderr)
        return json.loads(ran.stdout)

    def cpu_seconds(self) -> float:
        """What all its processes have used so far."""
        return cpu_seconds(self.family())

    def kill(self) -> None:
        """SIGKILL to all of it at once, as when the machine loses power (but its disk keeps what it was told)."""
        family = self.family()
        kill_all(family)
        assert self._process is not None
        self._process.wait(10)
        wait_until(lambda: not any(alive(pid) for pid in family), 10, "all processes of the node are gone")
        self._process = None

    def end(self) -> float:
        """SIGTERM; how many seconds it took. Raises AssertionError if it had to be killed or failed."""
        assert self._process is not None, "the node is not running"
        began = time.monotonic()
        ended = end(self._process, signal.SIGTERM, STOP_SECONDS)
        code = self._process.returncode
        self._process = None
        took = time.monotonic() - began
        assert ended, f"the node did not stop within {STOP_SECONDS:g} s\n{self.log[-4000:]}"
        assert code == 0, f"the node ended with {code}\n{self.log[-4000:]}"
        return took

    def faults(self) -> list[str]:
        """What a healthy node does not log, each with its traceback, the same one once."""
        found: dict[str, str] = {}
        lines = self.log.splitlines()
        for number, line in enumerate(lines):
            if any(re.search(pattern, line) for pattern in self.tolerated):
                continue
            if line.startswith("{") and line.endswith("}"):
                event = json.loads(line)
                if _is_fault(event):
                    trace = event.pop("exception", "")
                    found.setdefault(trace or line, f"{event}\n{trace}")
            elif _FAULTS.search(line):
                text = "\n".join(lines[max(0, number - 1) : number + 40])
                found.setdefault(text, text)
        return list(found.values())

    def remove(self) -> None:
        """End it anyhow and take its folder away."""
        if self._process is not None:
            end(self._process, signal.SIGKILL, 10)
            self._process = None
        atexit.unregister(self.remove)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """End it, and fail if it did not end well or has logged a fault."""
        try:
            if self._process is not None:
                self.end()
            faults = self.faults()
            assert not faults, "the node has logged faults:\n" + "\n----\n".join(faults[:5])
        finally:
            self.remove()
