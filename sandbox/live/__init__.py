"""Live roles: the same pipeline on a real log, in wall-clock time.

Import from the modules (`live.worker`, `live.generator`, ...): this package loads nothing.
"""
