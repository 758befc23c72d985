"""Real servers for tests and benches: started on loopback, bounded in time, gone at the end."""
