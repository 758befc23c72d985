"""What the server can do, told for the state a session is in."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everpost.access.imap.session import Session

RFCS = (9051, 7888, 4959)

ALWAYS = ("IMAP4rev1", "IMAP4rev2", "LITERAL+", "ID", "ENABLE")

AFTER_LOGIN = (
    "IDLE",
    "NAMESPACE",
    "UNSELECT",
    "CHILDREN",
    "UIDPLUS",
    "MOVE",
    "ESEARCH",
    "SEARCHRES",
    "BINARY",
    "CONDSTORE",
    "QRESYNC",
    "SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "MULTIAPPEND",
    "REPLACE",
    "CATENATE",
    "UNAUTHENTICATE",
    "UTF8=ACCEPT",
    "CREATE-SPECIAL-USE",
    "METADATA",
    "LIST-METADATA",
    "WITHIN",
    "SORT",
    "SORT=DISPLAY",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "ESORT",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "PARTIAL",
    "SEARCH=FUZZY",
    "PREVIEW",
    "SAVEDATE",
    "OBJECTID",
    "MULTISEARCH",
    "UIDONLY",
    "INPROGRESS",
)


def capabilities(session: "Session") -> bytes:
    """The words after CAPABILITY."""
    words = list(ALWAYS)
    if session.mail is not None:
        words.extend(AFTER_LOGIN)
        # RFC 7889
        words.append(f"APPENDLIMIT={session.settings.max_literal}")
        if session.connection.deflate is None:
            words.append("COMPRESS=DEFLATE")
        if session.settings.message_limit:
            words.append(f"MESSAGELIMIT={session.settings.message_limit}")
    else:
        words.append("SASL-IR")
        if session.can_start_tls:
            words.append("STARTTLS")
        if not session.may_login:
            words.append("LOGINDISABLED")
        words.extend(f"AUTH={name}" for name in session.mechanisms)
    return " ".join(words).encode()
