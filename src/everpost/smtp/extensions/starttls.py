"""STARTTLS: announced while it is possible."""

from everpost.smtp.extensions.extension import Extension

RFCS = (3207,)

EXTENSION = Extension(announce=lambda facts: "STARTTLS" if facts.tls_offered else None)
