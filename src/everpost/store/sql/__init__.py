"""SQL, written once per table; each function takes a Transaction first."""
