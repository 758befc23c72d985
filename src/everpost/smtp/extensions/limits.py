"""LIMITS: how much one session takes."""

from everpost.smtp.extensions.extension import Extension

RFCS = (9422,)

EXTENSION = Extension(announce=lambda facts: f"LIMITS MAILMAX={facts.max_messages} RCPTMAX={facts.max_recipients}")
