"""POP3 as bytes and events: no time, sockets, storage, policy."""
