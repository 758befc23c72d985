"""Gathering messages into conversations (RFC 5256): by subject, or by references as Jamie Zawinski described."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everpost.mailbox.sorting import NOTHING, sent
from everpost.message.summary import Summary
from everpost.store.sql.messages import MessageRow

if TYPE_CHECKING:
    from everpost.mailbox.view import View

RFCS = (5256,)


@dataclass(slots=True, eq=False)
class Thread:
    """A message with its answers; `uid` is None where a message is missing that several answer."""

    uid: int | None
    children: list["Thread"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Node:
    """A message in the making of threads, perhaps known by its id only."""

    parent: "_Node | None" = None
    children: list["_Node"] = field(default_factory=list)
    row: MessageRow | None = None
    summary: Summary = NOTHING

    @property
    def date(self) -> tuple[int, int]:
        """What siblings are ordered by; of a dummy that of its first child."""
        node: _Node | None = self
        while node is not None and node.row is None:
            node = min(node.children, key=lambda child: child.date) if node.children else None
        return (0, 0) if node is None or node.row is None else (sent(node.row, node.summary), node.row.uid)


async def by_subject(view: "View", uids: Sequence[int]) -> list[Thread]:
    """ORDEREDSUBJECT: messages with the same base subject; the first one's answers are all the others."""
    groups: dict[str, list[tuple[int, int]]] = {}
    summaries = await view.summaries(uids)
    for row in view.rows(uids):
        summary = summaries.get(row.uid, NOTHING)
        groups.setdefault(summary.base_subject.casefold(), []).append((sent(row, summary), row.uid))
    for group in groups.values():
        group.sort()
    ordered = sorted(groups.values(), key=lambda group: group[0])
    return [Thread(group[0][1], [Thread(uid) for _, uid in group[1:]]) for group in ordered]


async def by_references(view: "View", uids: Sequence[int]) -> list[Thread]:
    """REFERENCES: by Message-ID, References and In-Reply-To, then by subject (RFC 5256 section 3)."""
    summaries = await view.summaries(uids)
    known = [(row, summaries.get(row.uid, NOTHING)) for row in view.rows(sorted(uids))]
    roots = _by_subject(list(_prune(_link(known))))
    roots.sort(key=lambda node: node.date)
    return [_thread(root) for root in roots]


def _link(known: Iterable[tuple[MessageRow, Summary]]) -> list[_Node]:
    """Steps 1 and 2: a node for each message and each id named; return those without a parent."""
    nodes: dict[str, _Node] = {}
    every: list[_Node] = []

    def named(message_id: str) -> _Node:
        node = nodes.get(message_id)
        if node is None:
            node = nodes[message_id] = _Node()
            every.append(node)
        return node

    for row, summary in known:
        message_id = summary.message_id
        node = named(message_id) if message_id else None
        if node is None or node.row is not None:
            # No id, or one that was used before: it counts as unique (step 1.A).
            node = _Node()
            every.append(node)
        node.row, node.summary = row, summary
        before: _Node | None = None
        for reference in summary.references:
            after = named(reference)
            if before is not None and after.parent is None and not _is_above(after, before):
                _attach(after, before)
            before = after
        # What the message itself says of its parent counts more than what others said (step 1.B).
        if node.parent is not None:
            node.parent.children.remove(node)
            node.parent = None
        if before is not None and not _is_above(node, before):
            _attach(node, before)
    return [node for node in every if node.parent is None]


def _attach(child: _Node, parent: _Node) -> None:
    child.parent = parent
    parent.children.append(child)


def _is_above(node: _Node, other: _Node) -> bool:
    """Whether `node` is `other` or one of its ancestors: linking them would close a circle."""
    step: _Node | None = other
    while step is not None:
        if step is node:
            return True
        step = step.parent
    return False


def _prune(roots: Iterable[_Node]) -> Iterator[_Node]:
    """Step 3: dummies without children go; a dummy's children take its place, but at the root only a single one."""
    for root in roots:
        _prune_below(root)
        if root.row is not None or len(root.children) > 1:
            yield root
        elif root.children:
            only = root.children[0]
            only.parent = None
            yield only


def _prune_below(root: _Node) -> None:
    # From the leaves up, without recursion: a chain of references may be thousands long.
    order = [root]
    for node in order:
        order.extend(node.children)
    for node in reversed(order):
        kept: list[_Node] = []
        for child in node.children:
            if child.row is not None:
                kept.append(child)
            else:
                kept.extend(child.children)
        for child in kept:
            child.parent = node
        node.children = kept


def _subject(node: _Node) -> tuple[str, bool]:
    """(base subject, is reply) of a thread: of its first message."""
    if node.row is None:
        node = min(node.children, key=lambda child: child.date)
    return node.summary.base_subject.casefold(), node.summary.is_reply


def _by_subject(roots: list[_Node]) -> list[_Node]:
    """Step 5: threads with the same base subject become one."""
    table: dict[str, _Node] = {}
    for root in roots:
        subject, _ = _subject(root)
        if not subject:
            continue
        held = table.get(subject)
        if held is None or _is_better(root, held):
            table[subject] = root
    merged: list[_Node] = []
    for root in roots:
        subject, is_reply = _subject(root)
        held = table.get(subject, root) if subject else root
        if held is root:
            merged.append(root)
        elif root.row is None and held.row is None:
            for child in root.children:
                _attach(child, held)
        elif held.row is None or (is_reply and not _subject(held)[1]):
            _attach(root, held)
        else:
            _join(held, root)
    return merged


def _is_better(root: _Node, held: _Node) -> bool:
    """Step 5.B: a dummy stands for a subject rather than a message, a message rather than an answer."""
    if held.row is None or root.row is None:
        return held.row is not None
    return _subject(held)[1] and not _subject(root)[1]


def _join(held: _Node, root: _Node) -> None:
    """Both become children of a dummy, which takes the place of `held`."""
    copy = _Node(held, held.children, held.row, held.summary)
    for child in copy.children:
        child.parent = copy
    held.row, held.summary, held.children = None, NOTHING, [copy]
    _attach(root, held)


def _thread(root: _Node) -> Thread:
    """The result, siblings in the order of their dates; without recursion."""
    top = Thread(None if root.row is None else root.row.uid)
    waiting = [(root, top)]
    while waiting:
        node, thread = waiting.pop()
        for child in sorted(node.children, key=lambda each: each.date):
            below = Thread(None if child.row is None else child.row.uid)
            thread.children.append(below)
            waiting.append((child, below))
    return top
