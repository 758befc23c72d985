"""How programs read mail; each door translates between its protocol and `mailbox`."""
