"""Optuna, which chooses what a sweep tries next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.errors import UsageError

__all__ = ["Search"]

Values = Sequence[float | None]


class Search:
    """Ask which values to try, tell what came of them; several figures to improve at once.

    Parameters
    ----------
    over
        Values to choose from, by key.
    more
        Whether more is better, for each figure.
    seed
        Of the search.

    Raises
    ------
    UsageError
        If Optuna is not installed.
    """

    def __init__(self, over: Mapping[str, Sequence[str]], more: Sequence[bool], seed: int) -> None:
        try:
            import optuna
        except ModuleNotFoundError:
            raise UsageError(
                "Optuna is not installed", where="--search",
                hint="Install it with: pip install 'ml-design-sandbox[search]'.",
            ) from None  # fmt: skip
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._failed = optuna.trial.TrialState.FAIL
        self._over = over
        self._study = optuna.create_study(
            directions=["maximize" if better else "minimize" for better in more],
            sampler=optuna.samplers.TPESampler(seed=seed),
        )
        self._asked: dict[int, Any] = {}

    def first(self, values: Mapping[str, str]) -> None:
        """Have values tried before anything is chosen."""
        self._study.enqueue_trial(dict(values))

    def ask(self) -> tuple[int, dict[str, str]]:
        """Return a number to answer to, and a value for each key."""
        trial = self._study.ask()
        self._asked[trial.number] = trial
        values = {
            key: str(trial.suggest_categorical(key, list(values)))
            for key, values in self._over.items()
        }
        return trial.number, values

    def tell(self, number: int, values: Values) -> None:
        """Say what came of a trial; a figure that is None means that it failed."""
        trial = self._asked.pop(number)
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            self._study.tell(trial, known)
        else:
            self._study.tell(trial, state=self._failed)
