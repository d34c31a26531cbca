"""What one more costs where there are many."""
