"""Collaborative filtering: who likes what, from who clicked what, by factors of a sparse matrix.

The matrix of users by items holds, summed over all times that the pair was shown, the click minus
the chance of a click on that item. What is popular with everybody is taken out before, so that the
factors are about taste; what was never shown is 0, as expected. Its truncated singular value
decomposition gives each user and each item a vector (PureSVD: Cremonesi, Koren and Turrin, 2010).

Most pairs of user and item never meet, but everybody meets every kind of item. Where the kinds are
known each is a further column of the matrix, so that a vector rests on both.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from threadpoolctl import threadpool_limits

__all__ = [
    "Factors",
    "array_from",
    "fit_factors",
    "load_factors",
    "places_of",
    "popularity_of",
    "stored_array",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Array = NDArray[Any]
PRIOR = 20.0
"""An item's share of clicks counts as if it had been shown this often more, at the mean share."""
_PASSES = 3
"""Power iterations; more change nothing that anybody sees."""
_FILES = ("users", "items", "user_vectors", "item_vectors", "kind_vectors", "popularity", "mean")


@dataclass(frozen=True)
class Factors:
    """Vectors of users and items. Ids ascend; one that was not in training has no vector."""

    users: Ints
    """Shape (u,)."""
    items: Ints
    """Shape (i,)."""
    user_vectors: NDArray[np.float32]
    """Shape (u, rank)."""
    item_vectors: NDArray[np.float32]
    """Shape (i, rank)."""
    kind_vectors: NDArray[np.float32]
    """Shape (k, rank) for kinds 0, 1, ... of items; k is 0 where they are not known."""
    popularity: NDArray[np.float32]
    """Share of clicks of each item, drawn to the mean where it was seldom shown, shape (i,)."""
    mean: float
    """Share of clicks of all."""

    @property
    def rank(self) -> int:
        """Length of a vector."""
        return int(self.item_vectors.shape[1])

    def affinity(self, user: Array, item: Array) -> Floats:
        """Return how much more than everybody each user likes each item, on top of its popularity.

        Where the user is unknown it is the item's popularity, where the item is unknown the mean.
        It orders the items of one user; it is no probability.

        Parameters
        ----------
        user, item
            Ids, shape (n,).
        """
        who, known_user = places_of(self.users, user)
        what, known_item = places_of(self.items, item)
        score = np.full(len(user), self.mean)
        score[known_item] = self.popularity[what[known_item]]
        both = np.flatnonzero(known_user & known_item)
        one, other = self.user_vectors[who[both]], self.item_vectors[what[both]]
        score[both] += np.einsum("ij,ij->i", one, other, dtype=np.float64)
        return score

    def taste(self, user: Array, kind: Array) -> Floats:
        """Return how much each user likes a kind of items, more than everybody does.

        Parameters
        ----------
        user, kind
            Shape (n,). An unknown user or kind, negative numbers included, gives 0.
        """
        who, known = places_of(self.users, user)
        kind = np.asarray(kind, dtype=np.int64)
        both = np.flatnonzero(known & (kind >= 0) & (kind < len(self.kind_vectors)))
        score = np.zeros(len(who))
        one, other = self.user_vectors[who[both]], self.kind_vectors[kind[both]]
        score[both] = np.einsum("ij,ij->i", one, other, dtype=np.float64)
        return score

    def files(self) -> dict[str, bytes]:
        """Return what has to be stored, by file name: NumPy arrays, no pickle."""
        stored = {}
        for name in _FILES:
            stored[f"{name}.npy"] = stored_array(getattr(self, name))
        return stored


def fit_factors(
    user: Array,
    item: Array,
    clicked: Array,
    rank: int,
    rng: np.random.Generator,
    kind: Array | None = None,
) -> Factors:
    """Factorise what users clicked.

    Parameters
    ----------
    user, item
        Ids, shape (n,): one row each time that an item was shown to a user.
    clicked
        Shape (n,), 1 or 0.
    rank
        Length of the vectors; shorter where there are fewer users or items than that.
    rng
        Starts the decomposition; the same rows and seed give the same factors.
    kind
        Shape (n,), what kind of item each is: 0, 1, ...; negative where nobody knows.

    Raises
    ------
    ValueError
        If arrays differ in length, nothing was shown, or `rank` is not positive.
    """
    if not len(user) == len(item) == len(clicked) > 0 or rank < 1:
        raise ValueError("expected rows in arrays of one length, and rank >= 1")
    users, who = np.unique(np.asarray(user, dtype=np.int64), return_inverse=True)
    items, popularity, mean = popularity_of(item, clicked)
    what = np.searchsorted(items, np.asarray(item, dtype=np.int64))
    surprise = np.asarray(clicked, dtype=np.float64) - popularity[what]
    column, kinds = what, 0
    if kind is not None:
        kind = np.asarray(kind, dtype=np.int64)
        told, kinds = kind >= 0, int(kind.max(initial=-1)) + 1
        who, column = np.append(who, who[told]), np.append(what, len(items) + kind[told])
        surprise = np.append(surprise, surprise[told])
    shape = (len(users), len(items) + kinds)
    matrix = sparse.csr_matrix((surprise, (who, column)), shape=shape)
    one, other = _decompose(matrix, rank, int(rng.integers(2**31)))
    own, of_kind = other[: len(items)], other[len(items) :]
    return Factors(users, items, one, own, of_kind, popularity.astype(np.float32), mean)


def popularity_of(item: Array, clicked: Array) -> tuple[Ints, Floats, float]:
    """Return items in ascending order, the share of clicks of each, and that of all.

    An item that was seldom shown is drawn to the share of all, see `PRIOR`. Arguments as in
    `fit_factors`.
    """
    items, what = np.unique(np.asarray(item, dtype=np.int64), return_inverse=True)
    mean = float(np.mean(clicked))
    shown, clicks = np.bincount(what), np.bincount(what, clicked)
    return items, (clicks + PRIOR * mean) / (shown + PRIOR), mean


def load_factors(files: Mapping[str, bytes]) -> Factors:
    """Read back what `Factors.files` gave.

    Raises
    ------
    ValueError
        If a file is not what it should be.
    KeyError
        If a file is missing.
    """
    arrays = [array_from(name, files[f"{name}.npy"]) for name in _FILES]
    users, items, one, other, of_kind, popularity, mean = arrays
    shapes = (one.shape[:1], other.shape, of_kind.shape[1:], popularity.shape, mean.shape)
    rank = one.shape[1:]
    if shapes != (users.shape, (len(items), *rank), rank, items.shape, ()):
        raise ValueError("factors do not fit each other")
    return Factors(users, items, one, other, of_kind, popularity, float(mean))


def _decompose(
    matrix: sparse.csr_matrix, rank: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return vectors of rows and of columns whose products come near to the matrix."""
    least = min(matrix.shape)
    if least < 2:  # Nobody to learn from: all there is to know is how popular an item is.
        one, other = (np.zeros((size, 1), dtype=np.float32) for size in matrix.shape)
        return one, other
    svd = TruncatedSVD(min(rank, least - 1), n_iter=_PASSES, random_state=seed)
    # So thin a matrix is not worth a second thread; the numbers are those of any machine then.
    with threadpool_limits(1, user_api="blas"):
        rows = svd.fit_transform(matrix)
    return rows.astype(np.float32), np.ascontiguousarray(svd.components_.T, dtype=np.float32)


def places_of(known: Ints, asked: Array) -> tuple[Ints, NDArray[np.bool_]]:
    """Return where each id stands among ascending ones, shape (n,), and whether it does."""
    asked = np.asarray(asked, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
    return place, known[place] == asked


def stored_array(values: Any) -> bytes:
    """Return an array, or a number, as a NumPy file without pickle."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values), allow_pickle=False)
    return buffer.getvalue()


def array_from(name: str, content: bytes) -> Array:
    """Read back what `stored_array` gave; ValueError, with `name`, if it is none."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{name}.npy: {error}") from error
    return np.asarray(array)
