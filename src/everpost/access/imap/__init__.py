"""IMAP4rev1 and IMAP4rev2: how most programs read mail."""
