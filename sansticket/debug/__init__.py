"""Looking inside: explain, ladders, state diagrams, key log."""
