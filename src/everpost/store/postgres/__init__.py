"""The cluster engine: PostgreSQL 15 or newer."""
