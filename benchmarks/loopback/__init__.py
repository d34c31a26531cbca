"""Servers on asyncio, each in a process of its own, and clients of theirs, over the loopback interface."""
