"""What a state is, what a step is given and wants, and what the annotations of handlers say."""
