"""Capacity: load, latency, faults and cost of a design before anything is built."""
