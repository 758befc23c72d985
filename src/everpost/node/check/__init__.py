"""`everpost check`: faults of the settings and the machine, found before `serve` or a user finds them."""
