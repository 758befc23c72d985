"""Tables of the directory: tenants, domains, accounts, addresses and their targets, credentials."""

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-directory",
        (
            """CREATE TABLE tenant (
                tenant_id $ID,
                name $TEXT NOT NULL UNIQUE,
                created_at $INT NOT NULL
            )""",
            # A domain's name is in A-labels, lower case.
            """CREATE TABLE domain (
                domain_id $ID,
                tenant_id $INT NOT NULL REFERENCES tenant (tenant_id),
                name $TEXT NOT NULL UNIQUE,
                created_at $INT NOT NULL
            )""",
            # `login` is the key of the account's own address; `address` is that address as written.
            """CREATE TABLE account (
                account_id $ID,
                tenant_id $INT NOT NULL REFERENCES tenant (tenant_id),
                domain_id $INT NOT NULL REFERENCES domain (domain_id),
                login $TEXT NOT NULL UNIQUE,
                address $TEXT NOT NULL,
                name $TEXT NOT NULL,
                quota_bytes $INT NOT NULL,
                active $INT NOT NULL,
                created_at $INT NOT NULL
            )""",
            "CREATE INDEX account_domain ON account (domain_id, account_id)",
            # `local` is the key of the local part; * is the catch-all.
            """CREATE TABLE address (
                address_id $ID,
                domain_id $INT NOT NULL REFERENCES domain (domain_id),
                local $TEXT NOT NULL,
                created_at $INT NOT NULL,
                UNIQUE (domain_id, local)
            )""",
            """CREATE TABLE target (
                address_id $INT NOT NULL REFERENCES address (address_id),
                position $INT NOT NULL,
                account_id $INT REFERENCES account (account_id),
                remote $TEXT,
                PRIMARY KEY (address_id, position)
            )""",
            "CREATE INDEX target_account ON target (account_id) WHERE account_id IS NOT NULL",
            """CREATE TABLE credential (
                credential_id $ID,
                account_id $INT NOT NULL REFERENCES account (account_id),
                kind $TEXT NOT NULL,
                label $TEXT NOT NULL,
                secret $TEXT NOT NULL,
                scram_salt $BYTES,
                scram_iterations $INT NOT NULL,
                scram_stored_key $BYTES,
                scram_server_key $BYTES,
                created_at $INT NOT NULL
            )""",
            "CREATE INDEX credential_account ON credential (account_id)",
        ),
    ),
)
