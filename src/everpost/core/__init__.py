"""Words every room shares: addresses, ids, time, names, errors, log and metric helpers."""
