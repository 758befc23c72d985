"""Delivery status notifications: a message whose first sentence tells a person what happened, and whose second
part tells it to programs (RFC 3464, with RFC 6533 where addresses are not ASCII).
"""

from dataclasses import dataclass
from enum import Enum

from everpost.message.build import field, multipart, raw_field, text_part
from everpost.message.dates import render
from everpost.message.fields import header_end

RFCS = (3461, 3462, 3464, 3834, 6522, 6533)


class Action(Enum):
    """RFC 3464 section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class About:
    """What became of one recipient."""

    recipient: str
    status: str
    """Enhanced status code (RFC 3463)."""
    text: str
    """In words: the remote host's reply, or our own."""
    orcpt: str = ""
    """`type;address` as the sender gave it (RFC 3461 section 4.2)."""
    remote_host: str = ""
    """The host that said so; empty if we did."""
    from_peer: bool = False
    """`text` is that host's SMTP reply."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a notification says."""

    action: Action
    sender: str
    """Who is told: the reverse-path of the message."""
    recipients: tuple[About, ...]
    reporting_host: str
    arrived_at: float
    """Unix seconds."""
    written_at: float
    envid: str = ""
    retry_until: float | None = None
    """For a delay: until when it is tried."""


_SUBJECTS = {
    Action.FAILED: "Your message could not be delivered",
    Action.DELAYED: "Your message is delayed",
    Action.DELIVERED: "Your message was delivered",
    Action.RELAYED: "Your message was passed on",
    Action.EXPANDED: "Your message was passed on to a list",
}

_SENTENCES = {
    Action.FAILED: "Your message could not be delivered to {who}.",
    Action.DELAYED: "Your message could not be delivered to {who} yet; you need not send it again.",
    Action.DELIVERED: "Your message was delivered to {who}.",
    Action.RELAYED: "Your message was passed on to the mail system of {who}, which sends no notices of its own.",
    Action.EXPANDED: "Your message was passed on to the members of {who}.",
}


def compose(report: Report, original: bytes, *, full: bool, message_id: str, boundary: str) -> bytes:
    """The notification as a whole message with CRLF line ends.

    `original` is the message it is about (empty if it cannot be had), returned whole if `full`, else its
    header. `message_id` is without angle brackets; `boundary` is unguessable, so no original holds it.
    """
    utf8 = any(not text.isascii() for about in report.recipients for text in (about.recipient, about.orcpt))
    utf8 = utf8 or not report.sender.isascii()
    attached = "" if not original else "Your message is attached." if full else "The header of it is attached."
    parts = [text_part(_words(report, attached)), _status(report, utf8=utf8)]
    if original:
        parts.append(_returned(original, full=full))
    header = b"".join(
        (
            field("From", f"Mail delivery <postmaster@{report.reporting_host}>"),
            (raw_field if utf8 else field)("To", f"<{report.sender}>"),
            field("Subject", _SUBJECTS[report.action]),
            field("Date", render(report.written_at)),
            field("Message-ID", f"<{message_id}>"),
            # RFC 3834 section 5: nobody shall answer this automatically.
            field("Auto-Submitted", "auto-replied"),
            field("MIME-Version", "1.0"),
        )
    )
    return header + multipart("report", boundary, parts, "; report-type=delivery-status")


def _words(report: Report, attached: str) -> str:
    """The part for people."""
    names = [about.recipient for about in report.recipients]
    if len(names) == 1:
        who = names[0]
    elif len(names) <= 5:
        who = ", ".join(names[:-1]) + " and " + names[-1]
    else:
        who = f"{len(names)} recipients"
    lines = [_SENTENCES[report.action].format(who=who), ""]
    for about in report.recipients:
        lines.append(f"{about.recipient}:")
        said = f"    {about.text}"
        if about.remote_host:
            said = f"    {about.remote_host} " + ("answered" if about.from_peer else "reported") + f": {about.text}"
        lines += [said, ""]
    if report.action is Action.DELAYED and report.retry_until is not None:
        lines += [f"Delivery is tried again until {render(report.retry_until)}.", ""]
    if report.action is Action.FAILED:
        lines += [f"It will not be tried again. {attached}".rstrip(), ""]
    lines += [f"This notice was written by {report.reporting_host}.", ""]
    return "\n".join(lines)


def _status(report: Report, *, utf8: bool) -> bytes:
    """The part for programs (RFC 3464 section 2); message/global-delivery-status where UTF-8 is needed."""
    charset = "utf-8" if utf8 else "ascii"

    def say(name: str, value: str) -> bytes:
        return raw_field(name, value, charset)

    kind = "utf-8" if utf8 else "rfc822"
    lines = [say("Content-Type", "message/global-delivery-status" if utf8 else "message/delivery-status")]
    if utf8:
        lines.append(say("Content-Transfer-Encoding", "8bit"))
    lines.append(b"\r\n")
    if report.envid:
        lines.append(say("Original-Envelope-Id", report.envid))
    lines.append(say("Reporting-MTA", f"dns; {report.reporting_host}"))
    lines.append(say("Arrival-Date", render(report.arrived_at)))
    for about in report.recipients:
        lines.append(b"\r\n")
        if about.orcpt:
            lines.append(say("Original-Recipient", about.orcpt.replace(";", "; ", 1)))
        lines.append(say("Final-Recipient", f"{kind}; {about.recipient}"))
        lines.append(say("Action", report.action.value))
        lines.append(say("Status", about.status))
        if about.remote_host:
            lines.append(say("Remote-MTA", f"dns; {about.remote_host}"))
        if about.text:
            source = "smtp" if about.from_peer else "x-everpost"
            lines.append(say("Diagnostic-Code", f"{source}; {about.text}"))
        if report.action is Action.DELAYED and report.retry_until is not None:
            lines.append(say("Will-Retry-Until", render(report.retry_until)))
    return b"".join(lines)


def _returned(original: bytes, *, full: bool) -> bytes:
    """The message, or its header (RFC 3462 section 2; RFC 6533 section 4)."""
    header = original[: header_end(original, 0, len(original))]
    if full:
        kind = "message/rfc822" if header.isascii() else "message/global"
        content = original
    else:
        kind = "text/rfc822-headers" if header.isascii() else "message/global-headers"
        content = header
    encoding = b"" if content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return raw_field("Content-Type", kind) + encoding + b"\r\n" + content
