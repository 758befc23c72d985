"""Benches: what delivery and reading cost, measured on real processes."""
