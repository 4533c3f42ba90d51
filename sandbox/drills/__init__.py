"""Drills: blind incidents in virtual time, graded by outcome."""
