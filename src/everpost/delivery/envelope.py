"""The envelope of a message taken in: who sends, and each recipient with where its mail goes."""

from dataclasses import dataclass

from everpost.core.address import Address
from everpost.core.ids import AccountId, TenantId
from everpost.delivery.routing import Route


@dataclass(frozen=True, slots=True)
class Sender:
    """What MAIL said, and who is behind it."""

    address: Address | None
    """The reverse-path; None for the null one."""
    smtputf8: bool = False
    ret: str = ""
    """RET (RFC 3461 section 4.3): `FULL`, `HDRS` or nothing."""
    envid: str = ""
    """ENVID (RFC 3461 section 4.4), decoded."""
    account: AccountId | None = None
    """The account that submits."""
    tenant: TenantId | None = None

    @property
    def path(self) -> str:
        """The reverse-path as text, empty for the null one."""
        return "" if self.address is None else str(self.address)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT."""

    address: Address
    route: Route
    notify: str = ""
    """NOTIFY (RFC 3461 section 4.1) as `notify.joined` gives it."""
    orcpt: str = ""
    """ORCPT (RFC 3461 section 4.2): `rfc822;user@host`, or nothing."""
