"""POP3: the machine, and the sessions that answer it from a mailbox."""
