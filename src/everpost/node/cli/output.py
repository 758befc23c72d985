"""What commands print: tables for people, aligned text in pipes, JSON for programs."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table


def show(value: Any, *, json: bool, plain: str) -> None:
    """One thing: `value` as JSON, or the text for people."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() if json else plain)


def show_list(rows: Sequence[Any], titles: dict[str, str], *, json: bool, empty: str) -> None:
    """A list of dataclasses: the fields named in `titles`, in that order; all of them as JSON."""
    if json:
        values = [dataclasses.asdict(row) for row in rows]
        print(msgspec.json.format(msgspec.json.encode(values), indent=2).decode())
        return
    if not rows:
        print(empty, file=sys.stderr)
        return
    cells = [[_cell(getattr(row, name)) for name in titles] for row in rows]
    if sys.stdout.isatty():
        table = Table(*titles.values(), box=None, pad_edge=False, header_style="bold")
        for line in cells:
            table.add_row(*line)
        Console().print(table)
        return
    # In a pipe: plain columns, never cut.
    lines = [list(titles.values()), *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(titles))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "-"
        case tuple() | list():
            return ", ".join(map(_cell, value)) or "-"
        case _:
            return str(value)


def aligned(values: Mapping[str, Any]) -> str:
    """Names and values below each other."""
    width = max(map(len, values))
    return "\n".join(f"{name:{width}}  {_cell(value)}".rstrip() for name, value in values.items())


def size(count: int) -> str:
    """Bytes for people."""
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
