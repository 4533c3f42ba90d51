"""Features of a text alone: its length, and counts of what it is made of, by a hash."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import HashingVectorizer

__all__ = ["decoded", "hashed"]

_RUN = 3


def decoded(text: NDArray[np.bytes_]) -> NDArray[np.str_]:
    """Return UTF-8 bytes as text; a character that was cut in two is left out.

    Examples
    --------
    >>> decoded(np.array(["ok".encode(), "caf\u00e9".encode()[:4]])).tolist()
    ['ok', 'caf']
    """
    return np.strings.decode(text, "utf-8", "ignore")


def hashed(text: NDArray[np.bytes_], grams: str, into: int) -> NDArray[Any]:
    """Return how often words (or runs of three characters within words) fall into each bucket.

    Lower case; a word has two characters or more. Equal texts give equal counts on any machine,
    whatever came before: nothing is fitted.

    Parameters
    ----------
    text
        Shape (n,), UTF-8 bytes.
    grams
        ``words`` or ``characters``.
    into
        Number of buckets.

    Returns
    -------
    NDArray
        Shape (n, into).

    Examples
    --------
    >>> counts = hashed(np.array([b"win win now", b""]), "words", 8)
    >>> counts.sum(axis=1).tolist(), int(counts.max())
    ([3.0, 0.0], 2)
    """
    if not len(text):
        return np.zeros((0, into))
    counts: NDArray[Any] = _vectorizer(grams, into).transform(decoded(text).tolist()).toarray()
    return counts


@lru_cache(maxsize=8)
def _vectorizer(grams: str, into: int) -> HashingVectorizer:
    from sklearn.feature_extraction.text import HashingVectorizer

    runs = (1, 1) if grams == "words" else (_RUN, _RUN)
    return HashingVectorizer(
        analyzer="word" if grams == "words" else "char_wb", ngram_range=runs, n_features=into,
        alternate_sign=False, norm=None,
    )  # fmt: skip
