from __future__ import annotations

import pytest

from sandbox.interview.matching import best_matches, mentions, pick, words_of

FORMS = {"latency": ("latency", "how fast|quick"), "labels": ("label when|late",)}


@pytest.mark.parametrize(
    ("text", "names"),
    [("How fast is it?", ["latency"]), ("latencey", ["latency"]),
     ("When are labels late", ["labels"]), ("labels", []), ("", []), ("tea", []),
     ("when do labels come, and the latency", ["labels", "latency"])],
)  # fmt: skip
def test_keywords_are_recognised(text: str, names: list[str]) -> None:
    assert best_matches(text, FORMS, 2) == names


def test_nobody_asks_everything_at_once() -> None:
    forms = {str(n): (f"word{n}long",) for n in range(10)}
    text = " ".join(form for some in forms.values() for form in some)
    assert len(best_matches(text, forms, 2)) == 2


def test_short_words_must_be_exact() -> None:
    assert not mentions("fast", words_of("last")) and mentions("payment", words_of("paymnet"))


@pytest.mark.parametrize(
    ("text", "option"),
    [("1", "log"), ("3", None), ("0", None), ("LOG", "log"), ("col", "collect"),
     ("colect", "collect"),     ("", None), ("9" * 9, None), ("two jobs", None)],
)  # fmt: skip
def test_options_by_number_name_or_beginning(text: str, option: str | None) -> None:
    assert pick(text, ["log", "collect"]) == option
