"""The interview room: a design is asked for step by step, runs, and is argued with."""
