"""IMAP as bytes: commands in, responses out. Pure: no time, sockets, storage or policy."""
