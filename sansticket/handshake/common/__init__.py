"""What both sides and both versions do alike."""
