"""`everpost queue`."""

import datetime
from dataclasses import dataclass

import typer

from everpost.node.cli.context import JsonOption, SettingsOption, Tools, run
from everpost.node.cli.output import aligned, show, show_list
from everpost.store.sql.queue import HELD

app = typer.Typer(no_args_is_help=True, help="Mail waiting to be sent to other servers.")

_TITLES = {
    "queue_id": "ID",
    "recipient": "RECIPIENT",
    "state": "STATE",
    "attempts": "TRIES",
    "due": "NEXT TRY",
    "last_reply": "LAST ANSWER",
}
_SUMMARY = {"destination": "DESTINATION", "state": "STATE", "entries": "ENTRIES", "oldest": "OLDEST"}


@dataclass(frozen=True, slots=True)
class _Entry:
    queue_id: int
    sender: str
    recipient: str
    state: str
    attempts: int
    created: str
    due: str
    expires: str
    last_reply: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    destination: str
    state: str
    entries: int
    oldest: str


def _moment(unix: float) -> str:
    return datetime.datetime.fromtimestamp(unix, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@app.command("list")
def list_(
    destination: str = typer.Option("", help="Only for this domain."),
    held: bool = typer.Option(False, "--held", help="Only those held back."),
    after: int = typer.Option(0, help="Only ids above this: the next page."),
    limit: int = typer.Option(100, min=1, max=1_000, help="At most so many."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """List entries, one for each recipient, the oldest first."""

    async def work(tools: Tools) -> list[_Entry]:
        rows = await tools.queue.entries(
            after=after, limit=limit, destination=destination or None, state=HELD if held else None
        )
        return [
            _Entry(
                row.queue_id,
                row.reverse_path,
                row.recipient,
                row.state,
                row.attempts,
                _moment(row.created_at / 1000),
                _moment(row.due_at / 1000),
                _moment(row.expires_at / 1000),
                row.last_reply or "",
            )
            for row in rows
        ]

    show_list(run(settings, work), _TITLES, json=json, empty="the queue is empty")


@app.command()
def summary(settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Count what waits, by destination."""

    async def work(tools: Tools) -> list[_Waiting]:
        lines = await tools.queue.summary()
        return [_Waiting(line.destination, line.state, line.entries, _moment(line.oldest_at)) for line in lines]

    show_list(run(settings, work), _SUMMARY, json=json, empty="the queue is empty")


@app.command("show")
def show_(
    entry: int,
    message: bool = typer.Option(False, "--message", help="Print the message itself."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Show an entry."""
    if message:
        raw = run(settings, lambda tools: tools.queue.message(entry))
        typer.echo(raw, nl=False)
        return
    row = run(settings, lambda tools: tools.queue.entry(entry))
    values = row._asdict()
    show(values, json=json, plain=aligned(values))


def _done(ids: list[int], asked: list[int], what: str, *, json: bool) -> None:
    missing = sorted(set(asked) - set(ids))
    plain = f"{what}: {', '.join(map(str, ids)) or 'none'}"
    if missing:
        plain += f"; not there: {', '.join(map(str, missing))}"
    show({what: ids, "missing": missing}, json=json, plain=plain)
    if missing:
        raise typer.Exit(1)


@app.command()
def retry(entries: list[int], settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Try entries now."""
    _done(run(settings, lambda tools: tools.queue.retry(entries)), entries, "retried", json=json)


@app.command()
def hold(entries: list[int], settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Keep entries from being sent until they are released."""
    _done(run(settings, lambda tools: tools.queue.hold(entries)), entries, "held", json=json)


@app.command()
def release(entries: list[int], settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Let held entries go."""
    _done(run(settings, lambda tools: tools.queue.release(entries)), entries, "released", json=json)


@app.command()
def drop(
    entries: list[int],
    silent: bool = typer.Option(False, "--silent", help="Do not tell the senders."),
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Remove entries; their senders are told unless [bold]--silent[/bold]."""

    async def work(tools: Tools) -> None:
        for entry in entries:
            await tools.queue.drop(entry, notify=not silent)

    run(settings, work)
    show({"dropped": entries}, json=json, plain=f"dropped: {', '.join(map(str, entries))}")
