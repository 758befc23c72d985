"""One module for each command or close pair; `table.py` says when each may be used."""
