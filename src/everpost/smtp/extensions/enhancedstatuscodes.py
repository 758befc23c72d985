"""ENHANCEDSTATUSCODES: replies carry codes that programs understand."""

from everpost.smtp.extensions.extension import Extension

RFCS = (2034, 3463, 5248)

EXTENSION = Extension(announce=lambda facts: "ENHANCEDSTATUSCODES")
