"""The members of ``SSLContext``, by subject.  Each class has those of one; ``context`` puts them together."""
