"""The ``sandbox`` command. Rooms are imported inside the commands, so that ``--help`` is quick."""
