"""Connections: the only mutable objects of the package."""
