"""Declared features: one plan, computed event by event (`online`) or over a log (`history`).

Nothing is imported here, so that checking a plan does not load the compiler.
"""
