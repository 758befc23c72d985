"""The commented settings file, and its reference for docs/settings.md, from the model."""

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from everpost.node.settings.model import SECTIONS, CertificatePair, HostPort


def toml(value: Any) -> str:
    """A value as TOML writes it."""
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


def commented(values: Mapping[str, Mapping[str, Any]]) -> str:
    """A whole file: what is in `values` is set, everything else stands as a comment with its default."""
    lines = ["# Settings of this Everpost node. Everything else is kept in the directory (everpost --help).", ""]
    for name, section in SECTIONS.items():
        lines += [f"# {section.__doc__}", f"[{name}]"]
        given = values.get(name, {})
        for field in dataclasses.fields(section):
            lines += textwrap.wrap(field.metadata["doc"], 110, initial_indent="# ", subsequent_indent="# ")
            if field.name in given:
                lines.append(f"{field.name} = {toml(given[field.name])}")
            elif field.default is dataclasses.MISSING:
                lines.append(f"{field.name} = {toml(field.metadata['example'])}")
            else:
                lines.append(f"# {field.name} = {toml(field.default)}")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def reference() -> str:
    """The tables of docs/settings.md."""
    lines = []
    for name, section in SECTIONS.items():
        lines += [f"## `[{name}]`", "", section.__doc__ or "", "", "| key | default | meaning |", "| --- | --- | --- |"]
        for field in dataclasses.fields(section):
            if field.default is dataclasses.MISSING:
                default = "must be given"
            else:
                default = f"`{toml(field.default)}`"
            meaning = field.metadata["doc"].replace("|", "\\|")
            lines.append(f"| `{field.name}` | {default} | {meaning} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
