"""Who may do what: tenants, domains, accounts, addresses, credentials, SASL."""
