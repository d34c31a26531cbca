"""Fuzzers: ``python -m fuzz`` runs every target for a bounded time, ``python -m fuzz.seed`` makes the corpus anew.

A target is a module of ``fuzz.targets``: its first line is the invariant, and ``one_input(data)`` raises when the
data break it.  What a fuzzer finds is kept in its corpus, where the tests replay it (``tests/fuzz``).
"""
