"""What live workers survive: faults against a real broker, and an audit of what is in its log."""
