"""From a settings file to `Settings`: every fault is found and told at once, with its line."""

import dataclasses
import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from everpost.core.address import BadAddress, domain_to_ascii
from everpost.core.errors import Refused
from everpost.node.settings.model import ROLES, SECTIONS, CertificatePair, HostPort, Seconds, Settings, Size

_TABLE = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|TiB)?", re.IGNORECASE)
_UNITS = {"b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_TIMES = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in the file; `line` is 0 where no line is to blame."""

    line: int
    where: str
    text: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.where}: {self.text}"


class BadSettings(Refused):
    """The file cannot be used; all its faults."""

    def __init__(self, path: str, faults: list[Fault]) -> None:
        super().__init__("\n".join([f"{path} has {len(faults)} fault(s):", *(f"  {fault}" for fault in faults)]))
        self.faults = faults


_AT_LEAST_ONE = {
    "limits": (
        "recipients",
        "messages",
        "connections",
        "connections_per_address",
        "messages_per_hour",
        "recipients_per_hour",
    ),
    "queue": ("sessions", "sessions_per_destination", "port"),
}


# A Unix socket's path has at most 107 bytes.
_MAX_RUN_DIR = 80


class _Wrong(Exception):
    """What was expected instead."""


def load(path: Path) -> Settings:
    """Read a file. Raises BadSettings."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(str(path), [Fault(0, "file", f"cannot be read: {error}")]) from error
    return parse(text, str(path))


def parse(text: str, path: str = "settings") -> Settings:
    """Read the text of a file. Raises BadSettings."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise BadSettings(path, [Fault(int(found.group(1)) if found else 0, "TOML", str(error))]) from error
    lines = _lines(text)
    faults: list[Fault] = []
    values: dict[str, Any] = {}
    for name in data:
        if name not in SECTIONS:
            faults.append(Fault(lines.get(name, 0), f"[{name}]", f"no such section; there are {', '.join(SECTIONS)}"))
    for name, section in SECTIONS.items():
        values[name] = _section(name, section, data.get(name, {}), lines, faults)
    if faults:
        raise BadSettings(path, sorted(faults, key=lambda fault: fault.line))
    settings = Settings(**values)
    _check(settings, lines, faults)
    if faults:
        raise BadSettings(path, faults)
    return settings


def _lines(text: str) -> dict[str, int]:
    """Line numbers of sections and of keys as `section.key`."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TABLE.match(line):
            section = found.group(1).strip()
            lines.setdefault(section, number)
        elif found := _KEY.match(line):
            lines.setdefault(f"{section}.{found.group(1)}", number)
    return lines


def _section(name: str, section: type, data: Any, lines: Mapping[str, int], faults: list[Fault]) -> Any:
    if not isinstance(data, dict):
        faults.append(Fault(lines.get(f".{name}", 0), name, f"is a section: [{name}]"))
        return None
    hints = get_type_hints(section)
    fields = {field.name: field for field in dataclasses.fields(section)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        where = f"{name}.{key}"
        if key not in fields:
            faults.append(Fault(lines.get(where, 0), where, f"no such key; there are {', '.join(fields)}"))
            continue
        try:
            values[key] = _READERS[hints[key]](value)
        except _Wrong as wrong:
            faults.append(Fault(lines.get(where, 0), where, f"{wrong}, not {value!r}"))
    for key, field in fields.items():
        if key not in data and field.default is dataclasses.MISSING:
            example = field.metadata["example"]
            faults.append(Fault(lines.get(name, 0), f"{name}.{key}", f"is missing, for example {example!r}"))
    try:
        return section(**values)
    except TypeError:
        # Something is missing, which is told already.
        return None


def _check(settings: Settings, lines: Mapping[str, int], faults: list[Fault]) -> None:
    """What concerns values, or more than one of them."""

    def fault(where: str, text: str) -> None:
        faults.append(Fault(lines.get(where, 0), where, text))

    try:
        domain_to_ascii(settings.node.hostname)
    except BadAddress:
        fault("node.hostname", f"is a host name, not {settings.node.hostname!r}")
    for role in settings.node.roles:
        if role not in ROLES:
            fault("node.roles", f"{role!r} is none of {', '.join(ROLES)}")
    if not 0 <= settings.node.workers <= 256:
        fault("node.workers", "is a number from 0 to 256")
    for path, where in ((settings.node.data_dir, "node.data_dir"), (settings.node.run_dir, "node.run_dir")):
        if not path.is_absolute():
            fault(where, "is an absolute path")
    if len(str(settings.node.run_dir)) > _MAX_RUN_DIR:
        fault("node.run_dir", f"is at most {_MAX_RUN_DIR} characters long: sockets lie in it")
    if settings.log.format not in {"json", "console"}:
        fault("log.format", "is json or console")
    if settings.log.level not in {"debug", "info", "warning", "error"}:
        fault("log.level", "is debug, info, warning or error")
    for network in settings.listen.proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            fault("listen.proxies", f"{network!r} is no network such as 10.0.0.0/24")
    for section, names in _AT_LEAST_ONE.items():
        for name in names:
            if getattr(getattr(settings, section), name) < 1:
                fault(f"{section}.{name}", "is at least 1")
    _check_places(settings, fault)
    if settings.login.plaintext_on_loopback:
        plain = (*settings.listen.submission, *settings.listen.imap, *settings.listen.pop3)
        if any(not _is_loopback(place.host) for place in plain):
            fault("login.plaintext_on_loopback", "needs submission, imap and pop3 to listen on loopback only")
    for route in settings.queue.routes:
        words = route.split()
        try:
            if len(words) != 2:
                raise _Wrong
            host_port(words[1], default_port=25)
        except _Wrong:
            fault("queue.routes", f'{route!r} is not "domain host:port"')


def _check_places(settings: Settings, fault: Callable[[str, str], None]) -> None:
    """Two services at one place would share its connections by chance, because workers share their ports."""
    taken: dict[HostPort, str] = {}
    for field in dataclasses.fields(settings.listen):
        if field.name == "proxies":
            continue
        for place in getattr(settings.listen, field.name):
            if not _is_address(place.host):
                fault(f"listen.{field.name}", f"{place.host!r} is no IP address; 0.0.0.0 and [::] mean all")
            elif place.port and place in taken:
                fault(f"listen.{field.name}", f"{place} is used by {taken[place]} too")
            taken[place] = field.name


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_port(value: Any, default_port: int | None = None) -> HostPort:
    """`address:port`, `[v6]:port`. Raises _Wrong."""
    if not isinstance(value, str):
        raise _Wrong('expected "address:port"')
    host, colon, port = value.rpartition(":")
    if host.count(":") and not host.startswith("["):
        raise _Wrong('an IPv6 address is written as "[address]:port"')
    if not colon and default_port is not None:
        return HostPort(value, default_port)
    if not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise _Wrong('expected "address:port"')
    return HostPort(host.strip("[]"), int(port))


def _host_ports(value: Any) -> tuple[HostPort, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise _Wrong('expected a list of "address:port"')
    return tuple(host_port(each) for each in value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong("expected a text in quotes")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Wrong("expected a list of texts")
    return tuple(value)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Wrong("expected a whole number")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("expected true or false")
    return value


def size(value: Any) -> Size:
    """Bytes, as a number or as text with a unit. Raises _Wrong."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Size(value)
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _Wrong('expected a size such as "50 MiB"')
    return Size(int(found.group(1)) * _UNITS[(found.group(2) or "b").lower()])


def read_size(text: str) -> Size:
    """A size given by a person, such as "10 GiB". Raises Refused."""
    try:
        return size(int(text) if text.isdigit() else text)
    except _Wrong as wrong:
        raise Refused(f"{wrong}, not {text!r}") from wrong


def _seconds(value: Any) -> Seconds:
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Seconds(float(value))
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _Wrong('expected a time such as "30 s", "4 h" or "5 d"')
    return Seconds(float(found.group(1)) * _TIMES[found.group(2) or "s"])


def _many_seconds(value: Any) -> tuple[Seconds, ...]:
    if not isinstance(value, list) or not value:
        raise _Wrong('expected a list of times such as ["5 m", "1 h"]')
    return tuple(_seconds(each) for each in value)


def _path(value: Any) -> Path:
    return Path(_text(value))


def _pairs(value: Any) -> tuple[CertificatePair, ...]:
    if not isinstance(value, list):
        raise _Wrong("expected a list of tables with certificate and key")
    pairs = []
    for each in value:
        if not isinstance(each, dict) or set(each) != {"certificate", "key"}:
            raise _Wrong("expected a list of tables with certificate and key")
        pairs.append(CertificatePair(_path(each["certificate"]), _path(each["key"])))
    return tuple(pairs)


_READERS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _number,
    bool: _truth,
    Path: _path,
    Size: size,
    Seconds: _seconds,
    tuple[str, ...]: _texts,
    tuple[Seconds, ...]: _many_seconds,
    tuple[HostPort, ...]: _host_ports,
    tuple[CertificatePair, ...]: _pairs,
}
