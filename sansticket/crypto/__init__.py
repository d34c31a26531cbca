"""A thin veneer over pyca/cryptography.  Knows no TLS state."""
