"""The embedded engine: one SQLite file, group commit, any number of worker processes."""
