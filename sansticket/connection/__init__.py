"""Connections: the only mutable objects of the package."""

from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection

__all__ = ["ClientConnection", "Connection", "ServerConnection"]
