"""Monitor: what the design watches, and what it came to."""
