"""The commented settings file, and its reference for docs/settings.md, from the model."""

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from everpost.node.settings.model import SECTIONS, CertificatePair, HostPort, Seconds, Size

_SIZES = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))
_TIMES = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def toml(value: Any, kind: Any = None) -> str:
    """A value as TOML writes it; `kind` is its type in the model, so that sizes and times get units."""
    if kind is Size:
        return _with_unit(value, _SIZES)
    if kind is Seconds:
        return _with_unit(value, _TIMES)
    if get_args(kind) and isinstance(value, tuple | list):
        return "[" + ", ".join(toml(each, get_args(kind)[0]) for each in value) + "]"
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:g}"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Path() | HostPort():
            return toml(str(value))
        case CertificatePair():
            return f"{{ certificate = {toml(value.certificate)}, key = {toml(value.key)} }}"
        case tuple() | list():
            return "[" + ", ".join(toml(each) for each in value) + "]"
        case _:
            raise TypeError(f"{value!r} has no place in a settings file")


def _with_unit(value: float, units: tuple[tuple[str, int], ...]) -> str:
    """`"50 MiB"`: the largest unit of which it is a whole number; a bare number if there is none."""
    for unit, factor in units:
        if value and value % factor == 0:
            return f'"{int(value // factor)} {unit}"'
    return str(int(value) if value == int(value) else value)


def commented(values: Mapping[str, Mapping[str, Any]]) -> str:
    """A whole file: what is in `values` is set, everything else stands as a comment with its default."""
    lines = ["# Settings of this Everpost node. Everything else is kept in the directory (everpost --help).", ""]
    for name, section in SECTIONS.items():
        lines += [f"# {section.__doc__}", f"[{name}]"]
        given = values.get(name, {})
        hints = get_type_hints(section)
        for field in dataclasses.fields(section):
            kind = hints[field.name]
            lines += textwrap.wrap(field.metadata["doc"], 110, initial_indent="# ", subsequent_indent="# ")
            if field.name in given:
                lines.append(f"{field.name} = {toml(given[field.name], kind)}")
            elif field.default is dataclasses.MISSING:
                lines.append(f"{field.name} = {toml(field.metadata['example'])}")
            else:
                lines.append(f"# {field.name} = {toml(field.default, kind)}")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def reference() -> str:
    """The tables of docs/settings.md."""
    lines = []
    for name, section in SECTIONS.items():
        lines += [f"## `[{name}]`", "", section.__doc__ or "", "", "| key | default | meaning |", "| --- | --- | --- |"]
        hints = get_type_hints(section)
        for field in dataclasses.fields(section):
            if field.default is dataclasses.MISSING:
                default = "must be given"
            else:
                default = f"`{toml(field.default, hints[field.name])}`"
            meaning = field.metadata["doc"].replace("|", "\\|")
            lines.append(f"| `{field.name}` | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
