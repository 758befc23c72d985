"""One account's mail: folders, messages, flags, UIDs, search, changes: what IMAP, POP3, JMAP and webmail share."""
