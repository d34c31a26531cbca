"""Sessions, ticket protection, decision, issuance and caches.  Pure, usable without a connection."""
