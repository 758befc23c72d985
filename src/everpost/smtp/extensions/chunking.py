"""CHUNKING: BDAT beside DATA. BINARYMIME is not offered, so lines stay lines."""

from everpost.smtp.extensions.extension import Extension

RFCS = (3030,)

EXTENSION = Extension(announce=lambda facts: "CHUNKING")
