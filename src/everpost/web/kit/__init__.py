"""What all pages share: the HTTP server of a worker."""
