"""Bulky message bodies outside the database: immutable, written before the transaction that names them."""
