"""Generator: the outside world in real time."""
