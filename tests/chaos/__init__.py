"""Nodes that are hurt while they work: what was acknowledged must hold."""
