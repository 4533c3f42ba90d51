"""Adapters: where the sandbox touches the outside world, which today is files.

Import from the modules: this package loads nothing by itself.
"""
