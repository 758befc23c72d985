"""Tables of the outgoing queue: one row per recipient, the content stored once beside the mailboxes' own.

`lease_owner`, `lease_until` and `fence` say who may send an entry now: whoever claims it raises `fence`, and an
outcome is only written where `fence` is still the one that was claimed.
"""

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-queue",
        (
            """CREATE TABLE queue_entry (
                queue_id $ID,
                tenant_id $INT,
                account_id $INT,
                content_id $INT NOT NULL,
                state $TEXT NOT NULL,
                destination $TEXT NOT NULL,
                reverse_path $TEXT NOT NULL,
                recipient $TEXT NOT NULL,
                forwarded_by $TEXT NOT NULL,
                notify $TEXT NOT NULL,
                orcpt $TEXT NOT NULL,
                ret $TEXT NOT NULL,
                envid $TEXT NOT NULL,
                smtputf8 $INT NOT NULL,
                created_at $INT NOT NULL,
                due_at $INT NOT NULL,
                expires_at $INT NOT NULL,
                warned_at $INT,
                attempts $INT NOT NULL,
                last_at $INT,
                last_reply $TEXT NOT NULL,
                lease_owner $TEXT NOT NULL,
                lease_until $INT NOT NULL,
                fence $INT NOT NULL
            )""",
            "CREATE INDEX queue_entry_due ON queue_entry (due_at) WHERE state = 'waiting'",
            "CREATE INDEX queue_entry_content ON queue_entry (content_id)",
            "CREATE INDEX queue_entry_destination ON queue_entry (destination, due_at)",
            # An entry's row changes with every attempt and is then deleted.
            "postgres:ALTER TABLE queue_entry SET (fillfactor = 70)",
        ),
    ),
)
