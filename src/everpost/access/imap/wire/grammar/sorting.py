"""What SORT and THREAD ask for (RFC 5256, RFC 5957, RFC 5267)."""

from dataclasses import dataclass

from everpost.access.imap.wire.grammar.returns import returned
from everpost.access.imap.wire.grammar.search import Search, charset, program
from everpost.access.imap.wire.tokens import Reader

RFCS = (5256, 5267, 5957, 6203)

MAX_KEYS = 20

RELEVANCY = "RELEVANCY"
ORDERS = {
    name: name
    for name in (
        "ARRIVAL",
        "CC",
        "DATE",
        "DISPLAYFROM",
        "DISPLAYTO",
        "FROM",
        RELEVANCY,
        "SIZE",
        "SUBJECT",
        "TO",
    )
}
ALGORITHMS = {name: name for name in ("ORDEREDSUBJECT", "REFERENCES")}


@dataclass(frozen=True, slots=True)
class Order:
    """One criterion of an order."""

    name: str
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """The whole SORT command."""

    orders: tuple[Order, ...]
    search: Search


@dataclass(frozen=True, slots=True)
class Threads:
    """The whole THREAD command."""

    algorithm: str
    search: Search


def sort(reader: Reader, saved: tuple[int, ...]) -> Sort:
    """The arguments of SORT. Raises SyntaxFault, BadCharset, TooComplex."""
    asked = returned(reader)
    start = reader.place
    orders: list[Order] = []
    for _ in reader.items(empty=False):
        orders.append(_order(reader))
        if len(orders) > MAX_KEYS:
            reader.fail("fewer sort keys")
    reader.space()
    charset(reader)
    found = program(reader, saved, asked)
    if any(order.name == RELEVANCY for order in orders) and not found.fuzzy:
        # RFC 6203 section 6
        reader.place = start
        reader.fail("sort keys other than RELEVANCY, because there is no FUZZY")
    return Sort(tuple(orders), found)


def _order(reader: Reader) -> Order:
    start = reader.place
    reverse = reader.word("a sort key") == "REVERSE"
    if reverse:
        reader.space()
    else:
        reader.place = start
    return Order(reader.choice(ORDERS, "a sort key that this server knows"), reverse)


def threads(reader: Reader, saved: tuple[int, ...]) -> Threads:
    """The arguments of THREAD. Raises SyntaxFault, BadCharset, TooComplex."""
    algorithm = reader.choice(ALGORITHMS, "ORDEREDSUBJECT or REFERENCES")
    reader.space()
    charset(reader)
    return Threads(algorithm, program(reader, saved, None))
