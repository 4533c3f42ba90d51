"""Schema check -> features -> score -> decide: the same object in every execution.

Import from the modules (`pipeline.pipeline`, `pipeline.features.plan`, ...): this package loads
nothing by itself, so that checking a specification stays quick.
"""
