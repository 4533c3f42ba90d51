"""Runs: a scenario, a design and a seed become a record, in virtual time.

The way through: `setup` reads and checks; `execution` moves the clock; `traffic` makes what happens
in the world and `service` answers it; `feedback` brings labels back; `lifecycle` trains, judges and
promotes; `watch` measures and raises alerts; `results`, `incidents` and `verdict` say what it all
came to; `output` writes it down. `check` and `scaffold` are for authors of scenarios.

Import from the modules: this package loads nothing by itself.
"""
