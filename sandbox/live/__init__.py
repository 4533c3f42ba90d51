"""Live roles: the same pipeline on a real log, in wall-clock time.

A folder a role (`live.worker.worker`, `live.generator.generator`, ...); what roles share stands
beside them. This package loads nothing.
"""
