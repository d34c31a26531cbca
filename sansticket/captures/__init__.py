"""What others have captured: packets and text to streams, streams to connections, and what their tickets say."""
