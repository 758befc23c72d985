"""Time and DNS that tests set."""

from dataclasses import dataclass, field

from everpost.core.resolver import Answer, Mx, ResolverFailed


@dataclass
class FakeClock:
    """Stands still until moved."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class FakeResolver:
    """Answers from dictionaries; a name in `broken` fails, one in none of them does not exist."""

    mx_records: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def _exists(self, name: str) -> bool:
        self.asked.append(name)
        if name in self.broken:
            raise ResolverFailed("no answer")
        return name in self.mx_records or name in self.addresses

    async def mx(self, name: str) -> Answer[Mx]:
        exists = self._exists(name)
        records = tuple(Mx(preference, exchange) for preference, exchange in self.mx_records.get(name, []))
        return Answer(records, exists)

    async def a(self, name: str) -> Answer[str]:
        exists = self._exists(name)
        return Answer(tuple(text for text in self.addresses.get(name, []) if ":" not in text), exists)

    async def aaaa(self, name: str) -> Answer[str]:
        exists = self._exists(name)
        return Answer(tuple(text for text in self.addresses.get(name, []) if ":" in text), exists)

    async def txt(self, name: str) -> Answer[str]:
        return Answer((), self._exists(name))

    async def ptr(self, address: str) -> Answer[str]:
        return Answer((), self._exists(address))


@dataclass
class MemoryBlobs:
    """Blobs in a dictionary."""

    held: dict[str, bytes] = field(default_factory=dict)

    async def put(self, key: str, data: bytes) -> None:
        self.held[key] = data

    async def get(self, key: str) -> bytes:
        return self.held[key]

    async def delete(self, key: str) -> None:
        self.held.pop(key, None)
