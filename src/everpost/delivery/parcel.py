"""A message with everything that must become durable together with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from everpost.mailbox.deliver import Deliverer, Delivery, LocalCopy
from everpost.store.feed import Feed
from everpost.store.ports import Transaction
from everpost.store.sql import queue
from everpost.store.sql.contents import ContentRow
from everpost.store.sql.queue import NewEntry

QUEUE_TOPIC = "queue"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One content, the mailboxes it goes into and the entries that will send it on."""

    content: ContentRow
    local: tuple[LocalCopy, ...] = ()
    remote: tuple[NewEntry, ...] = ()


async def put(tx: Transaction, parcel: Parcel, deliverer: Deliverer, feed: Feed) -> Delivery:
    """Write a parcel inside the caller's transaction; wake sessions and runners once it is durable.

    Raises Conflict if this very parcel is stored already (see Deliverer.deliver_in).
    """
    delivery = await deliverer.deliver_in(tx, parcel.local, parcel.content, len(parcel.remote))
    if parcel.remote:
        await queue.insert(tx, delivery.content_id, parcel.remote)
        tx.after_commit(lambda: feed.publish(QUEUE_TOPIC))
    return delivery


async def put_all(tx: Transaction, parcels: Sequence[Parcel], deliverer: Deliverer, feed: Feed) -> None:
    """Write several parcels none of whose local copies has a quota."""
    for parcel in parcels:
        await put(tx, parcel, deliverer, feed)
