"""The arguments of commands as frozen values; one module for each part of the grammar (RFC 9051 section 9)."""
