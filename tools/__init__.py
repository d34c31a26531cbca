"""What the project makes from itself: the changelog from its fragments, the house from the code.

Nothing of this is shipped.  Each is a command: ``python -m tools.changelog --help`` and so on.
"""
