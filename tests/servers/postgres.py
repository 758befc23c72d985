"""A private PostgreSQL server for one test run or bench."""

import atexit
import getpass
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.servers.ports import free_port
from tests.servers.processes import alive, end, guarded, kill_all, tree, wait_until

DEBIAN = Path("/usr/lib/postgresql")
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def binaries() -> Path:
    """The folder of the newest PostgreSQL's programs. Raises AssertionError if there is none."""
    found = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    assert program, "PostgreSQL is needed: apt-get install postgresql"
    return Path(program).resolve().parent


class PostgresServer:
    """One cluster in a temporary folder, reached by TCP on 127.0.0.1 and by a socket in that folder.

    Started by root it runs as the user `postgres`, for PostgreSQL refuses to run as root; the folder is
    therefore not below any home.
    """

    def __init__(self, *, fsync: bool = False, settings: dict[str, str] | None = None) -> None:
        """`fsync` on is what a bench or a crash of the machine needs; a killed process loses nothing without."""
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="everpost-pg-", dir="/tmp"))
        self.user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        self._as_user = self.user if os.geteuid() == 0 else None
        self._settings = {"fsync": "on" if fsync else "off", "max_connections": "200", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._made = False

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None, "PostgreSQL is not running"
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has said so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Make the cluster if this is the first time, start it, wait until it takes connections."""
        if not self._made:
            self._make()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "128MB",
            **self._settings,
        }
        arguments = [str(binaries() / "postgres"), "-D", str(self.folder / "data")]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                guarded(arguments, self._as_user), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        atexit.register(self.stop)
        try:
            wait_until(self.ready, START_SECONDS, "PostgreSQL takes connections")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def _make(self) -> None:
        if self._as_user is not None:
            shutil.chown(self.folder, self._as_user, self._as_user)
        arguments = [str(binaries() / "initdb"), "-D", str(self.folder / "data"), "-U", self.user]
        arguments += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run(
            guarded(arguments, self._as_user),
            cwd=self.folder,
            capture_output=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert made.returncode == 0, made.stderr.decode(errors="replace")
        self._made = True

    def ready(self) -> bool:
        """True if it takes connections. Raises AssertionError if the process has ended."""
        assert self._process is not None and self._process.poll() is None, "PostgreSQL has ended"
        asked = subprocess.run(
            [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "5"],
            timeout=10,
            check=False,
        )
        return asked.returncode == 0

    def url(self, database: str = "postgres") -> str:
        """The URL of a database of this server."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL by psql; its rows as text, columns separated by `|`."""
        arguments = [str(binaries() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        ran = subprocess.run(
            [*arguments, "-c", sql, self.url(database)], capture_output=True, timeout=30, check=False, text=True
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"everpost{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log")
        return self.url(name)

    def kill(self) -> None:
        """SIGKILL to every process of the server at once, as when its machine dies."""
        assert self._process is not None
        family = tree(self._process.pid)
        kill_all(family)
        self._process.wait(10)
        wait_until(lambda: not any(alive(pid) for pid in family), 10, "all processes of PostgreSQL are gone")
        self._process = None

    def restart(self) -> None:
        """Stop without waiting for clients (unless it is down already) and start again on the same port."""
        self._end()
        self.start()

    def stop(self) -> None:
        """Stop and remove everything."""
        self._end()
        atexit.unregister(self.stop)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        if self._process is not None:
            end(self._process, signal.SIGINT, STOP_SECONDS)
            self._process = None
