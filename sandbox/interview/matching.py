"""Recognising what somebody typed by keywords: no network, no model, the same answer always."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["best_matches", "mentions", "pick", "words_of"]

NEAR = 0.84
"""Words this similar are the same, typing errors included."""
LEAST_FUZZY = 5
"""Shorter words must be exact."""
MOST_WORDS = 400
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text without endings.

    Examples
    --------
    >>> words_of("When do the labels arrive?")
    ('when', 'do', 'the', 'label', 'arrive')
    """
    return tuple(_stem(word) for word in re.findall(r"[a-z0-9%]+", text.lower())[:MOST_WORDS])


def mentions(form: str, words: Sequence[str]) -> int:
    """Return how many words of a form occur, or 0 unless all of them do.

    Parameters
    ----------
    form
        Words that must all occur, in any order; ``late|delay`` takes either.
    words
        As `words_of` returns them.

    Examples
    --------
    >>> mentions("label late|delay|arrive", words_of("When do labels arive?"))
    2
    """
    terms = form.lower().split()
    found = sum(any(_occurs(_stem(one), words) for one in term.split("|")) for term in terms)
    return found if terms and found == len(terms) else 0


def best_matches(text: str, forms: Mapping[str, Iterable[str]], most: int) -> list[str]:
    """Return the names whose forms occur in a text, the most specific first.

    Parameters
    ----------
    forms
        Accepted forms by name.
    most
        No more names than this: nobody asks ten things at once.
    """
    words = words_of(text)
    found = {name: max(mentions(form, words) for form in some) for name, some in forms.items()}
    ranked = sorted((name for name in found if found[name]), key=lambda name: -found[name])
    return ranked[:most]


def pick(text: str, names: Sequence[str]) -> str | None:
    """Return the option meant by a number, a name, its beginning, or something near; or None.

    Examples
    --------
    >>> pick("2", ["allow", "block"]), pick("Blo", ["allow", "block"]), pick("x", ["a", "b"])
    ('block', 'block', None)
    """
    said = text.strip().lower()
    if re.fullmatch(r"[0-9]{1,3}", said):
        return names[int(said) - 1] if 1 <= int(said) <= len(names) else None
    key = re.sub(r"[\s-]+", "_", said)
    if key in names:
        return key
    begun = [name for name in names if key and name.startswith(key)]
    if len(begun) == 1:
        return begun[0]
    near = difflib.get_close_matches(key[:80], names, n=1, cutoff=0.75)
    return near[0] if near else None


def _occurs(word: str, words: Sequence[str]) -> bool:
    return any(word == other or _near(word, other) for other in words)


def _near(word: str, other: str) -> bool:
    if min(len(word), len(other)) < LEAST_FUZZY or abs(len(word) - len(other)) > 2:
        return False
    matcher = difflib.SequenceMatcher(None, word, other, autojunk=False)
    return matcher.real_quick_ratio() >= NEAR and matcher.ratio() >= NEAR


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
