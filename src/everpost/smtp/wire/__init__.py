"""The pure machines of SMTP."""
