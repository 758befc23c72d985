"""Which commands there are, in which states each may be used, and what may be told after it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from everpost.access.imap.commands import (
    append,
    authenticate,
    cancelupdate,
    capability,
    close,
    compress,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    identify,
    idle,
    listing,
    login,
    logout,
    lsub,
    metadata,
    multisearch,
    namespace,
    noop,
    quota,
    rename,
    replace,
    search,
    select,
    sort,
    starttls,
    status,
    store,
    subscribe,
    thread,
    unauthenticate,
)
from everpost.access.imap.outcome import Outcome
from everpost.access.imap.wire.events import Command

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

Run = Callable[["Session", Command], Awaitable[Outcome | None]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A command."""

    run: Run
    """None for an outcome means that the command goes on with the next line."""
    states: frozenset[str]
    """Names of session.State."""
    expunges: bool = True
    """EXPUNGE may be told before the tagged response (RFC 9051 section 7.5.1)."""
    creates: bool = False
    """A missing mailbox could be created and the command tried again (TRYCREATE)."""
    numbers: bool = False
    """It takes or tells message sequence numbers (RFC 9586)."""
    slow: bool = False
    """It may take long and says only whole lines, so progress can be told meanwhile (RFC 9585)."""


ANY = frozenset({"NOT_AUTHENTICATED", "AUTHENTICATED", "SELECTED"})
BEFORE = frozenset({"NOT_AUTHENTICATED"})
AFTER = frozenset({"AUTHENTICATED", "SELECTED"})
SELECTED = frozenset({"SELECTED"})

TABLE: dict[str, Entry] = {
    "CAPABILITY": Entry(capability.run, ANY),
    "NOOP": Entry(noop.run, ANY),
    "LOGOUT": Entry(logout.run, ANY),
    "ID": Entry(identify.run, ANY),
    "STARTTLS": Entry(starttls.run, BEFORE),
    "AUTHENTICATE": Entry(authenticate.run, BEFORE),
    "LOGIN": Entry(login.run, BEFORE),
    "COMPRESS": Entry(compress.run, AFTER),
    "UNAUTHENTICATE": Entry(unauthenticate.run, AFTER),
    "ENABLE": Entry(enable.run, AFTER),
    "SELECT": Entry(select.select, AFTER),
    "EXAMINE": Entry(select.examine, AFTER),
    "CREATE": Entry(create.run, AFTER),
    "DELETE": Entry(delete.run, AFTER),
    "RENAME": Entry(rename.run, AFTER),
    "SUBSCRIBE": Entry(subscribe.subscribe, AFTER),
    "UNSUBSCRIBE": Entry(subscribe.unsubscribe, AFTER),
    "LIST": Entry(listing.run, AFTER),
    "LSUB": Entry(lsub.run, AFTER),
    "NAMESPACE": Entry(namespace.run, AFTER),
    "STATUS": Entry(status.run, AFTER),
    "APPEND": Entry(append.run, AFTER, creates=True),
    "GETQUOTA": Entry(quota.get, AFTER),
    "GETQUOTAROOT": Entry(quota.get_root, AFTER),
    "GETMETADATA": Entry(metadata.read, AFTER),
    "SETMETADATA": Entry(metadata.write, AFTER),
    "SETQUOTA": Entry(quota.set_limits, AFTER),
    "IDLE": Entry(idle.run, AFTER),
    "CHECK": Entry(noop.check, SELECTED),
    "CLOSE": Entry(close.close, SELECTED),
    "UNSELECT": Entry(close.unselect, SELECTED),
    "EXPUNGE": Entry(expunge.run, SELECTED, slow=True),
    "UID EXPUNGE": Entry(expunge.run_uid, SELECTED, slow=True),
    "FETCH": Entry(fetch.run, SELECTED, expunges=False, numbers=True),
    "UID FETCH": Entry(fetch.run, SELECTED),
    "SEARCH": Entry(search.run, SELECTED, expunges=False, numbers=True, slow=True),
    "UID SEARCH": Entry(search.run, SELECTED, slow=True),
    "ESEARCH": Entry(multisearch.run, AFTER, slow=True),
    "SORT": Entry(sort.run, SELECTED, expunges=False, numbers=True, slow=True),
    "UID SORT": Entry(sort.run, SELECTED, slow=True),
    "THREAD": Entry(thread.run, SELECTED, expunges=False, numbers=True, slow=True),
    "UID THREAD": Entry(thread.run, SELECTED, slow=True),
    "CANCELUPDATE": Entry(cancelupdate.run, SELECTED),
    "STORE": Entry(store.run, SELECTED, expunges=False, numbers=True, slow=True),
    "UID STORE": Entry(store.run, SELECTED, slow=True),
    "COPY": Entry(copy.copy, SELECTED, creates=True, numbers=True, slow=True),
    "UID COPY": Entry(copy.copy, SELECTED, creates=True, slow=True),
    "REPLACE": Entry(replace.run, SELECTED, creates=True, numbers=True),
    "UID REPLACE": Entry(replace.run, SELECTED, creates=True),
    "MOVE": Entry(copy.move, SELECTED, creates=True, numbers=True, slow=True),
    "UID MOVE": Entry(copy.move, SELECTED, creates=True, slow=True),
}
