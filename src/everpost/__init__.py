"""Everpost: a mail cluster of equal nodes."""

__version__ = "0.1.0"
