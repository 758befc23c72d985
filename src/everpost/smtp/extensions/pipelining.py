"""PIPELINING: commands may be sent without waiting."""

from everpost.smtp.extensions.extension import Extension

RFCS = (2920,)

EXTENSION = Extension(announce=lambda facts: "PIPELINING")
