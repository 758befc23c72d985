"""Taking mail in: the SMTP session behind both doors, what each door allows, checks, trace fields."""
