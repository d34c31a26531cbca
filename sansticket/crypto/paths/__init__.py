"""What belongs to the validation of a path: what extensions may be, policies, and why a chain was refused."""
