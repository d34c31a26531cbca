"""How fast, how large: ratios to the standard library's ``ssl`` and to the floor of primitives."""
