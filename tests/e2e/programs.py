"""Running programs that others wrote."""

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

PACKAGES = {"mbsync": "isync"}


def installed(program: str) -> str:
    """The path of a program. Raises AssertionError with the command that installs it."""
    path = shutil.which(program)
    assert path, f"{program} is needed: apt-get install {PACKAGES.get(program, program)}"
    return path


def run(line: str, *, stdin: bytes = b"", home: Path | None = None, seconds: float = 60, code: int = 0) -> str:
    """Run a command line, quoted as for a shell; what it printed.

    Raises AssertionError unless the program ends with `code` in time.
    """
    program, *arguments = shlex.split(line)
    ran = subprocess.run(
        [installed(program), *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8", **({"HOME": str(home)} if home else {})},
        cwd=home,
        timeout=seconds,
        check=False,
    )
    printed = ran.stdout.decode(errors="replace")
    assert ran.returncode == code, f"{program} ended with {ran.returncode}, not {code}:\n{printed}"
    return printed


def run_on_terminal(program: str, *arguments: str, home: Path, seconds: float = 60) -> str:
    """Run a program that insists on a terminal; what it drew. Raises AssertionError unless it ends well."""
    installed(program)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execvpe(
            program, [program, *arguments], {**os.environ, "HOME": str(home), "TERM": "vt100", "LC_ALL": "C.UTF-8"}
        )
    drawn = b""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:  # The last process on the terminal has ended.
                    break
                drawn += data
        else:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    text = drawn.decode(errors="replace")
    assert status == 0, f"{program} ended with status {status}:\n{text}"
    return text


def private(path: Path, text: str) -> Path:
    """A file only its owner may read, as programs want it that hold passwords."""
    path.write_text(text)
    path.chmod(0o600)
    return path
