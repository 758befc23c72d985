"""Finding messages by IMAP's criteria: cheap tests first, stored text only where it decides."""
