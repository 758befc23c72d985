"""SMTP as a protocol, both sides; no policy, no storage."""
