"""Tables of a cell: accounts' counters, folders, messages and their contents; leases.

The row of `mail_account` is the write lock of an account: whoever changes anything of it first takes the
next `modseq` there. Locks are therefore always taken in the order account, folder, content.
"""

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-mail",
        (
            """CREATE TABLE mail_account (
                account_id $INT PRIMARY KEY,
                modseq $INT NOT NULL,
                bytes $INT NOT NULL,
                messages $INT NOT NULL,
                last_validity $INT NOT NULL
            )""",
            """CREATE TABLE folder (
                folder_id $ID,
                account_id $INT NOT NULL REFERENCES mail_account (account_id),
                name $TEXT NOT NULL,
                role $TEXT,
                uid_validity $INT NOT NULL,
                uid_next $INT NOT NULL,
                recent_uid $INT NOT NULL,
                modseq $INT NOT NULL,
                messages $INT NOT NULL,
                unseen $INT NOT NULL,
                deleted $INT NOT NULL,
                bytes $INT NOT NULL,
                UNIQUE (account_id, name)
            )""",
            """CREATE TABLE subscription (
                account_id $INT NOT NULL,
                name $TEXT NOT NULL,
                PRIMARY KEY (account_id, name)
            )""",
            # The bulky column comes last: SQLite reads the ones before it without touching it.
            """CREATE TABLE content (
                content_id $ID,
                refs $INT NOT NULL,
                size $INT NOT NULL,
                created_at $INT NOT NULL,
                trace_id $TEXT NOT NULL,
                coding $INT NOT NULL,
                blob_key $TEXT,
                envelope $BYTES NOT NULL,
                bodystructure $BYTES NOT NULL,
                structure $BYTES NOT NULL,
                summary $BYTES NOT NULL,
                header $BYTES NOT NULL,
                body $BYTES
            )""",
            # Also what makes a delivery that is tried again after a lost answer happen once.
            "CREATE UNIQUE INDEX content_trace_id ON content (trace_id)",
            """CREATE INDEX content_blob_key ON content (blob_key) WHERE blob_key IS NOT NULL""",
            # Already compressed where it pays: PostgreSQL need not try again.
            "postgres:ALTER TABLE content ALTER COLUMN body SET STORAGE EXTERNAL",
            """CREATE TABLE message (
                folder_id $INT NOT NULL REFERENCES folder (folder_id),
                uid $INT NOT NULL,
                modseq $INT NOT NULL,
                flags $INT NOT NULL,
                keywords $TEXT NOT NULL,
                size $INT NOT NULL,
                internal_at $INT NOT NULL,
                saved_at $INT NOT NULL,
                content_id $INT NOT NULL,
                PRIMARY KEY (folder_id, uid)
            )""",
            "CREATE INDEX message_modseq ON message (folder_id, modseq)",
            # Flags change often: room on the page keeps such updates off the indexes.
            "postgres:ALTER TABLE message SET (fillfactor = 80)",
            "postgres:ALTER TABLE mail_account SET (fillfactor = 50)",
            "postgres:ALTER TABLE folder SET (fillfactor = 50)",
            """CREATE TABLE expunged (
                folder_id $INT NOT NULL,
                modseq $INT NOT NULL,
                uid $INT NOT NULL,
                expunged_at $INT NOT NULL,
                PRIMARY KEY (folder_id, modseq, uid)
            )""",
            "CREATE INDEX expunged_at ON expunged (expunged_at)",
            """CREATE TABLE lease (
                name $TEXT PRIMARY KEY,
                owner $TEXT NOT NULL,
                until_at $INT NOT NULL,
                fence $INT NOT NULL
            )""",
        ),
    ),
    (
        "0002-tombstones",
        (
            # Up to this modseq tombstones may be forgotten; of what was before this step that is not known.
            "ALTER TABLE folder ADD COLUMN pruned_modseq $INT NOT NULL DEFAULT 0",
            "UPDATE folder SET pruned_modseq = modseq",
        ),
    ),
    (
        "0003-annotation",
        (
            # `folder_id` 0 is the account itself.
            """CREATE TABLE annotation (
                account_id $INT NOT NULL,
                folder_id $INT NOT NULL,
                name $TEXT NOT NULL,
                value $BYTES NOT NULL,
                PRIMARY KEY (account_id, folder_id, name)
            )""",
            "CREATE INDEX annotation_folder ON annotation (folder_id)",
        ),
    ),
    (
        "0004-signatures",
        (
            # A table of its own: a search reads thousands of them, and nothing else of the messages.
            """CREATE TABLE signature (
                content_id $INT PRIMARY KEY,
                data $BYTES NOT NULL
            )""",
            # It looks random: PostgreSQL need not try to compress it.
            "postgres:ALTER TABLE signature ALTER COLUMN data SET STORAGE EXTERNAL",
            # Up to which content those without have been given one: a single row.
            "CREATE TABLE signing (done_to $INT NOT NULL)",
            "INSERT INTO signing (done_to) VALUES (0)",
        ),
    ),
)
