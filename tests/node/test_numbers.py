"""Counts of dead workers stay in the node's sum, and their files go."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from everpost.node import numbers


def count(folder: Path, kind: str, pid: int, name: str, value: float) -> None:
    """As a worker does it."""
    values = MmapedDict(str(folder / f"{kind}_{pid}.db"))
    values.write_value(mmap_key(name, name, ["door"], ["mx"], "Some count"), value, 0.0)
    values.close()


def total(folder: Path, name: str) -> float | None:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    lines = [line for line in generate_latest(registry).decode().splitlines() if line.startswith(name + "{")]
    return float(lines[0].split()[-1]) if lines else None


def test_a_total_never_goes_back_when_workers_die(tmp_path: Path) -> None:
    numbers.prepare(tmp_path)
    for pid in (11, 12, 13):
        count(tmp_path, "counter", pid, "things_total", pid)
    assert total(tmp_path, "things_total") == 36
    for pid in (11, 13):
        numbers.bury(tmp_path, pid)
        assert total(tmp_path, "things_total") == 36
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_0.db", "counter_12.db"]


def test_what_a_dead_worker_holds_is_held_no_more(tmp_path: Path) -> None:
    numbers.prepare(tmp_path)
    count(tmp_path, "gauge_livesum", 11, "open_things", 5)
    count(tmp_path, "gauge_livesum", 12, "open_things", 2)
    numbers.bury(tmp_path, 11)
    assert total(tmp_path, "open_things") == 2


def test_a_file_that_cannot_be_read_costs_only_its_counts(tmp_path: Path) -> None:
    numbers.prepare(tmp_path)
    count(tmp_path, "counter", 11, "things_total", 3)
    # Cut off inside an entry: `used` says more than there is.
    (tmp_path / "counter_12.db").write_bytes(b"\xff\x00\x00\x00" + b"\x00" * 4 + b"\xf0\x00\x00\x00")
    numbers.bury(tmp_path, 12)
    assert total(tmp_path, "things_total") == 3
    assert not (tmp_path / "counter_12.db").exists()


def test_a_new_run_begins_with_nothing(tmp_path: Path) -> None:
    numbers.prepare(tmp_path)
    count(tmp_path, "counter", 11, "things_total", 3)
    numbers.prepare(tmp_path)
    assert total(tmp_path, "things_total") is None
