"""Metrics of a node: every worker counts in files of its own, and any worker can tell the sum of all."""

import contextlib
import os
import shutil
import struct
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess
from prometheus_client.mmap_dict import MmapedDict

from everpost.core.log import logger

log = logger("node")

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which the library learns where workers count."""

# No process has this id: under it stands what the dead have counted.
_DEAD = 0
_TRIES = 3


def prepare(folder: Path) -> None:
    """A node starts: nothing has been counted yet."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def bury(folder: Path, pid: int) -> None:
    """A worker has ended: what it counted joins the sum of the dead, so that no total goes back.

    Its files go, for a node that restarts workers for months must not collect them.
    """
    for path in folder.glob(f"*_{pid}.db"):
        kind = path.name.partition("_")[0]
        if kind in {"counter", "histogram", "summary"}:
            try:
                _add(path, folder / f"{kind}_{_DEAD}.db")
            except (OSError, RuntimeError, ValueError, struct.error) as error:
                # Its worker was killed in the midst of making it.
                log.warning("metrics.lost", file=path.name, error=str(error))
        path.unlink(missing_ok=True)


def _add(source: Path, target: Path) -> None:
    total = MmapedDict(str(target))  # type: ignore[no-untyped-call]
    try:
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(source)):  # type: ignore[no-untyped-call]
            total.write_value(key, total.read_value(key)[0] + value, timestamp)  # type: ignore[no-untyped-call]
    finally:
        total.close()  # type: ignore[no-untyped-call]


def collect() -> bytes:
    """The sum over the node's workers, in Prometheus' text format; of this process alone if it has no folder."""
    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    for _ in range(_TRIES):
        # A file may vanish between being listed and being read, or be half made, when its worker has just died.
        with contextlib.suppress(FileNotFoundError, RuntimeError, struct.error):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
    return b""
