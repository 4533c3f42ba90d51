"""Mistakes under `clean` and in quotients: what a user reads, word for word, at its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.spec.cleaning import STEPS, CleanStep
from sandbox.spec.design import Design
from sandbox.spec.loading import check_design, design_from, scenario_from
from sandbox.spec.source import source_from_text

Message = Callable[[Callable[[], Any]], str]
HEAD = """\
title: Clean
clean:
  - STEP
features:
  - amount
  - mean: {of: amount, by: shop_id, over: 7d}
  - FEATURE
  - hour_of_day
"""
STEP, FEATURE = "fill: {of: amount, with: 4}", "quotient: {of: amount, to: shop_id_mean_amount_7d}"
COLUMNS = "    channel: {type: category, values: [shop, online]}\n"
MORE = COLUMNS + "    note: {type: text}\n    area: {type: number}\n"


@pytest.fixture(scope="session")
def read(scenario_text: str) -> Callable[..., Design]:
    """Load a design with a step and a feature, and hold it against the scenario."""
    assert COLUMNS in scenario_text
    source = source_from_text(scenario_text.replace(COLUMNS, MORE), "shop/scenario.yaml")
    scenario = scenario_from(source)

    def build(step: str = STEP, feature: str = FEATURE) -> Design:
        text = HEAD.replace("STEP", step).replace("FEATURE", feature)
        source = source_from_text(text, "mine.yaml")
        design = design_from(source)
        check_design(design, source, scenario)
        return design

    return build


CLEAN = {
    "unknown step": (
        "fil: {of: amount, with: 4}",
        "3 clean[0].fil: unknown step; got 'fil', expected one of scale, blank, merge, fill. "
        "Did you mean fill?",
    ),
    "a bare name": ("amount",
        "3 clean[0]: wrong value; got 'amount', expected one step of scale, blank, merge, "
        "fill."),
    "nothing": ("{}",
        "3 clean[0]: wrong value; got a mapping, expected one step of scale, blank, "
        "merge, fill."),
    "two steps in one": (
        "{fill: {of: amount, with: 4}, blank: {of: amount, below: 0}}",
        "3 clean[0]: wrong value; got a mapping, expected one step of scale, blank, "
        "merge, fill.",
    ),
    "no body": ("scale: amount",
        "3 clean[0].scale: wrong value; got 'amount', expected scale: {of: COLUMN, below: "
        "250, by: 10.764}."),
    "no column": ("fill: {with: 4}",
        "3 clean[0]: missing key; expected of. of: The column."),
    "unknown key": ("fill: {of: amount, wth: 4}",
        "3 clean[0].fill.wth: unknown key; got 'wth', expected one of of, below, above, "
        "by, as, with. Did you mean with?"),
    "unknown column": (
        "fill: {of: amuont, with: 4}",
        "3 clean[0].fill.of: unknown column; got 'amuont', expected one of amount, channel, area. "
        "Did you mean amount?",
    ),
    "unknown column of scale": (
        "scale: {of: araa, below: 250, by: 10}",
        "3 clean[0].scale.of: unknown column; got 'araa', expected one of amount, area. "
        "Did you mean area?",
    ),
    "unknown column of merge": (
        "merge: {of: chanel, as: {shop: online}}",
        "3 clean[0].merge.of: unknown column; got 'chanel', expected one of channel. "
        "Did you mean channel?",
    ),
    "scale of a category": (
        "scale: {of: channel, below: 1, by: 2}",
        "3 clean[0].scale.of: this column is not a number; got 'channel', expected one of amount, "
        "area.",
    ),
    "blank of a key": (
        "blank: {of: shop_id, below: 1}",
        "3 clean[0].blank.of: this column is not a number; got 'shop_id', expected one of amount, "
        "area.",
    ),
    "merge of a number": (
        "merge: {of: amount, as: {shop: online}}",
        "3 clean[0].merge.of: this column is not a category; got 'amount', expected one of "
        "channel.",
    ),
    "fill of a text": (
        "fill: {of: note, with: 4}",
        "3 clean[0].fill.of: a text cannot be filled; got 'note', expected one of amount, channel, "
        "area.",
    ),
    "fill of a key": (
        "fill: {of: shop_id, with: 4}",
        "3 clean[0].fill.of: a key cannot be filled; got 'shop_id', expected one of amount, "
        "channel, area.",
    ),
    "unknown category to merge": (
        "merge: {of: channel, as: {onlin: shop}}",
        "3 clean[0].merge.as: unknown category; got 'onlin', expected one of shop, online. "
        "Did you mean online?",
    ),
    "merge into an unknown category": (
        "merge: {of: channel, as: {online: web}}",
        "3 clean[0].merge.as: unknown category; got 'web', expected one of shop, online.",
    ),
    "fill with an unknown category": (
        "fill: {of: channel, with: shp}",
        "3 clean[0].fill.with: unknown category; got 'shp', expected one of shop, online. "
        "Did you mean shop?",
    ),
    "fill a category with a number": (
        "fill: {of: channel, with: 4}",

        "3 clean[0].fill.with: unknown category; got '4.0', expected one of shop, online.",
    ),
    "fill a number with a word": (
        "fill: {of: amount, with: few}",
        "3 clean[0].fill.with: no number; got 'few', expected a plain number.",
    ),
    "scale without a bound": ("scale: {of: amount, by: 10}",
        "3 clean[0].scale: wrong value; got a mapping, expected scale: {of: COLUMN, "
        "below: 250, by: 10.764}."),
    "scale without a factor": ("scale: {of: amount, below: 10}",
        "3 clean[0].scale: wrong value; got a mapping, expected scale: {of: COLUMN, "
        "below: 250, by: 10.764}."),
    "scale by nothing": ("scale: {of: amount, below: 10, by: 0}",
        "3 clean[0].scale.by: out of range; got 0, expected a number > 0."),
    "blank without a bound": ("blank: {of: amount}",
        "3 clean[0].blank: wrong value; got a mapping, expected blank: {of: COLUMN, "
        "below: 1700, above: 2100}."),
    "blank with a factor": ("blank: {of: amount, below: 1, by: 2}",
        "3 clean[0].blank: wrong value; got a mapping, expected blank: {of: COLUMN, "
        "below: 1700, above: 2100}."),
    "fill with nothing": ("fill: {of: amount}",
        "3 clean[0].fill: wrong value; got a mapping, expected fill: {of: COLUMN, with: "
        "4}."),
    "merge of nothing": ("merge: {of: channel, as: {}}",
        "3 clean[0].merge: wrong value; got a mapping, expected merge: {of: COLUMN, as: "
        "{old_name: new_name}}."),
    "word for a bound": ("blank: {of: amount, below: few}",
        "3 clean[0].blank.below: wrong value; got 'few', expected a number."),
    "list for a merge": ("merge: {of: channel, as: [shop]}",
        "3 clean[0].merge.as: wrong value; got a list, expected keys and values."),
}  # fmt: skip
KNOWN = "one of amount, shop_id_mean_amount_7d"
QUOTIENTS = {
    "a later feature": ("quotient: {of: amount, to: hour_of_day}",
        ".quotient.to: no feature column declared above; got 'hour_of_day', expected one "
        "of amount, shop_id_mean_amount_7d."),
    "itself": ("quotient: {of: amount_per_amount, to: amount}",
        ".quotient.of: no feature column declared above; got 'amount_per_amount', "
        "expected one of amount, shop_id_mean_amount_7d."),
    "unknown above": ("quotient: {of: amuont, to: amount}",
        ".quotient.of: no feature column declared above; got 'amuont', expected one of "
        "amount, shop_id_mean_amount_7d. Did you mean amount?"),
    "a column that is no feature": ("quotient: {of: area, to: amount}",
        ".quotient.of: no feature column declared above; got 'area', expected one of "
        "amount, shop_id_mean_amount_7d."),
    "no to": ("quotient: {of: amount}",
        ".quotient: wrong value; got a mapping, expected quotient: {of: FEATURE, to: "
        "FEATURE}."),
    "no of": ("quotient: {to: amount}",
        ".quotient: wrong value; got a mapping, expected quotient: {of: FEATURE, to: "
        "FEATURE}."),
    "with a window": ("quotient: {of: amount, to: amount, over: 7d}",
        ".quotient: wrong value; got a mapping, expected quotient: {of: FEATURE, to: "
        "FEATURE}."),
    "with a key": ("quotient: {of: amount, to: amount, by: shop_id}",
        ".quotient: wrong value; got a mapping, expected quotient: {of: FEATURE, to: "
        "FEATURE}."),
    "to of a mean": ("mean: {of: amount, by: shop_id, over: 3d, to: amount}",
        ".mean: only quotient takes `to`; expected mean: {of: COLUMN, by: KEY, over: [1d, "
        "7d]}."),
    "to of a text": ("length: {of: note, to: amount}",
        ".length: only quotient takes `to`; expected length: {of: TEXT}."),
}  # fmt: skip


@pytest.mark.parametrize("mistake", CLEAN)
def test_mistakes_of_cleaning(
    mistake: str, read: Callable[..., Design], message_of: Message
) -> None:
    step, expected = CLEAN[mistake]
    assert message_of(lambda: read(step=step)) == f"mine.yaml:{expected}"


@pytest.mark.parametrize("mistake", QUOTIENTS)
def test_mistakes_of_quotients(
    mistake: str, read: Callable[..., Design], message_of: Message
) -> None:
    feature, expected = QUOTIENTS[mistake]
    assert message_of(lambda: read(feature=feature)) == f"mine.yaml:7 features[2]{expected}"


@pytest.mark.parametrize(
    "step",
    [
        "scale: {of: amount, below: 250, by: 10.764}",
        "scale: {of: amount, above: 250, by: 0.001}",
        "blank: {of: area, below: 1700, above: 2100}",
        "blank: {of: area, above: 0}",
        "merge: {of: channel, as: {online: shop}}",
        "fill: {of: area, with: 0}",
        "fill: {of: channel, with: online}",
    ],
)
def test_right_steps_load(step: str, read: Callable[..., Design]) -> None:
    (read_step,) = read(step=step).clean
    assert read_step.step == step.partition(":")[0] and read_step.step in STEPS
    assert CleanStep.model_validate(read_step.model_dump(by_alias=True)) == read_step


def test_a_quotient_is_named_by_both(read: Callable[..., Design]) -> None:
    assert read().features[2].names == ("amount_per_shop_id_mean_amount_7d",)
    again = Design.model_validate(read().model_dump(by_alias=True))
    assert again.features[2] == read().features[2] and again.clean == read().clean
