"""Tables of the directory: tenants, domains, accounts, addresses, credentials, and the cluster's secrets."""

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-directory",
        (
            """CREATE TABLE tenant (
                tenant_id $ID,
                name $TEXT NOT NULL UNIQUE,
                created_at $INT NOT NULL
            )""",
            # `name` is the A-label form in lower case; `postmaster` an address, or null for the oldest account.
            """CREATE TABLE domain (
                domain_id $ID,
                tenant_id $INT NOT NULL REFERENCES tenant (tenant_id),
                name $TEXT NOT NULL UNIQUE,
                postmaster $TEXT,
                created_at $INT NOT NULL
            )""",
            "CREATE INDEX domain_tenant ON domain (tenant_id)",
            # `login` is the key of the primary address, `address` the same as written; `credential_version` grows
            # with every change of the account's credentials.
            """CREATE TABLE account (
                account_id $ID,
                tenant_id $INT NOT NULL REFERENCES tenant (tenant_id),
                domain_id $INT NOT NULL REFERENCES domain (domain_id),
                login $TEXT NOT NULL UNIQUE,
                address $TEXT NOT NULL,
                name $TEXT NOT NULL,
                quota_bytes $INT NOT NULL,
                active $INT NOT NULL,
                credential_version $INT NOT NULL,
                created_at $INT NOT NULL
            )""",
            "CREATE INDEX account_domain ON account (domain_id)",
            "CREATE INDEX account_tenant ON account (tenant_id)",
            # `local` is the key of the local part, or * for every one that is not listed.
            """CREATE TABLE address (
                address_id $ID,
                domain_id $INT NOT NULL REFERENCES domain (domain_id),
                local $TEXT NOT NULL,
                written $TEXT NOT NULL,
                created_at $INT NOT NULL,
                UNIQUE (domain_id, local)
            )""",
            # Either an account, or the text of an address here or elsewhere.
            """CREATE TABLE target (
                address_id $INT NOT NULL REFERENCES address (address_id),
                position $INT NOT NULL,
                account_id $INT REFERENCES account (account_id),
                remote $TEXT,
                PRIMARY KEY (address_id, position),
                CHECK ((account_id IS NULL) <> (remote IS NULL))
            )""",
            "CREATE INDEX target_account ON target (account_id) WHERE account_id IS NOT NULL",
            # kind `password`: argon2 and the SCRAM columns; kind `app`: digest, of a long random password.
            """CREATE TABLE credential (
                credential_id $ID,
                account_id $INT NOT NULL REFERENCES account (account_id),
                kind $TEXT NOT NULL,
                label $TEXT NOT NULL,
                argon2 $TEXT,
                scram_salt $BYTES,
                scram_iterations $INT,
                scram_stored_key $BYTES,
                scram_server_key $BYTES,
                digest $BYTES,
                created_at $INT NOT NULL,
                used_at $INT,
                expires_at $INT
            )""",
            "CREATE INDEX credential_account ON credential (account_id)",
            "CREATE UNIQUE INDEX credential_password ON credential (account_id) WHERE kind = 'password'",
            # Made once by the first node that needs them, the same for all.
            """CREATE TABLE secret (
                name $TEXT PRIMARY KEY,
                value $BYTES NOT NULL,
                created_at $INT NOT NULL
            )""",
        ),
    ),
)
