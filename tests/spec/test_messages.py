"""The catalogue of mistakes: what a user reads, word for word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Message = Callable[[Callable[[], Any]], str]
Read = Callable[[str], Any]

ONE_OF_KEYS = "one of buyer_id, shop_id"
DESIGN_KEYS = "title, ingest, pipeline, clean, features, model, decision, monitoring, retraining"
MONITORS = (
    "psi, ks, js, missing, invalid, performance, estimate, adwin, page_hinkley, ddm, eddm, hddm_a, "
    "hddm_w, kswin"
)

DESIGN_MISTAKES = {
    "misspelt key": (
        "partitions: 12", "partitons: 12",
        "3 ingest.partitons: unknown key; got 'partitons', expected one of partitions, key, acks, "
        "compression, retention, brokers, timeout, retries. Did you mean partitions?",
    ),
    "misspelt required key": (
        "features:", "featurs:",
        f"7 featurs: unknown key; got 'featurs', expected one of {DESIGN_KEYS}. "
        "Did you mean features? And 1 more problem.",
    ),
    "word for a number": (
        "workers: 4", "workers: many",
        "5 pipeline.workers: wrong value; got 'many', expected a whole number.",
    ),
    "truth for a number": (
        "workers: 4", "workers: true",
        "5 pipeline.workers: wrong value; got true, expected a whole number.",
    ),
    "out of range": (
        "workers: 4", "workers: 0",
        "5 pipeline.workers: out of range; got 0, expected a number >= 1.",
    ),
    "unknown unit": (
        "linger: 5ms", "linger: 5 bananas",
        "6 pipeline.linger: wrong value; got '5 bananas', expected a duration >= 0 such as 7d, 12h "
        "or 5ms.",
    ),
    "zero duration": (
        "reference: 14d", "reference: 0d",
        "28 monitoring.reference: out of range; got '0d', expected a duration > 0.",
    ),
    "unknown choice": (
        "imbalance: none", "imbalance: smoot",
        "21 model.imbalance: wrong value; got 'smoot', expected one of none, weight, under_sample, "
        "smote, balanced_bagging. Did you mean smote?",
    ),
    "unknown operation": (
        "count: {by", "cuont: {by",
        "11 features[3].cuont: unknown operation; got 'cuont', expected one of count, sum, mean, "
        "share, ratio, since_last, length, hashed, quotient. Did you mean count?",
    ),
    "unknown key column": (
        "by: shop_id\n", "by: shp_id\n",
        f"14 features[4].mean.by: unknown column; got 'shp_id', expected {ONE_OF_KEYS}. "
        "Did you mean shop_id?",
    ),
    "unknown column": (
        "- amount", "- amuont",
        "8 features[0]: unknown column; got 'amuont', expected one of amount, channel, "
        "hour_of_day, day_of_week, weekend, night. Did you mean amount?",
    ),
    "key as a quantity": (
        "- amount", "- shop_id",
        "8 features[0]: a key is a name, not a quantity; got 'shop_id', expected one of amount, "
        "channel, hour_of_day, day_of_week, weekend, night. "
        "Use it in a window: count: {by: shop_id, over: 7d}.",
    ),
    "mean of a category": (
        "of: amount", "of: channel",
        "13 features[4].mean.of: mean of a category has no meaning; got 'channel', expected one of "
        "amount, label.",
    ),
    "impossible window": (
        "over: 7d\n", "over: 0d\n",
        "15 features[4].mean.over: wrong value; got '0d', expected a window > 0 such as 7d.",
    ),
    "window longer than history": (
        "over: 7d\n", "over: 90d\n",
        "15 features[4].mean.over: this window starts before the world does; got '91d', expected "
        "window + delay <= 80d.",
    ),
    "operation without window": (
        "count: {by: buyer_id, over: [1d, 7d]}", "count: {by: buyer_id}",
        "11 features[3].count: count needs `over`; expected windows such as [1d, 7d].",
    ),
    "feature twice": (
        "- hour_of_day", "- amount",
        "9 features[1]: feature 'amount' is declared twice; got 'amount', expected distinct "
        "features.",
    ),
    "too little history": (
        "window: 28d", "window: 70d",
        "22 model.training: the first model would need more past than there is; got '91d', "
        "expected window + validation + label_maturity <= 80d. Shorten training.window.",
    ),
    "two families": (
        "{xgboost: {trees: 50, depth: 3}}", "{xgboost: {}, logistic_regression: {}}",
        "20 model.champion: wrong keys; got xgboost, logistic_regression, expected exactly one of "
        "xgboost, logistic_regression, ridge.",
    ),
    "unknown monitor": (
        "psi: {", "pis: {",
        f"30 monitoring.alerts[0].pis: unknown monitor; got 'pis', expected one of {MONITORS}. "
        "Did you mean psi?",
    ),
    "bad duration in a short form": (
        "for: 2d", "for: later",
        "30 monitoring.alerts[0].psi.for: wrong value; got 'later', expected a duration >= 0 such "
        "as 7d, 12h or 5ms.",
    ),
    "unknown stream": (
        "of: review_precision", "of: precision",
        "31 monitoring.alerts[1].adwin.of: unknown stream; got 'precision', expected one of "
        "review_precision, matured_labels, score, positive_rate. Did you mean review_precision?",
    ),
    "unknown metric": (
        "of: pr_auc", "of: pr_acu",
        "32 monitoring.alerts[2].performance.of: unknown metric; got 'pr_acu', expected one of "
        "all, pr_auc, recall. Did you mean pr_auc?",
    ),
    "unreadable trigger": (
        "every 28d", "evry 28d",
        "34 retraining.when[0]: wrong value; got 'evry 28d', expected `every 28d`, "
        "`on performance`, `on drift` or `on alert`.",
    ),
    "trigger without alert": (
        "on performance", "on ks",
        "34 retraining.when[1]: nothing ever triggers this; got 'on ks', expected an alert under "
        "monitoring.alerts (psi, adwin, performance). Add a ks alert.",
    ),
    "slice over a number": (
        "slices: [channel]", "slices: [amount]",
        "35 retraining.gate.slices[0]: this column is not a category; got 'amount', expected one "
        "of channel.",
    ),
    "text for a list": (
        "slices: [channel]", "slices: channel",
        "35 retraining.gate.slices: wrong value; got 'channel', expected a list. Write [channel].",
    ),
    "unknown objective": (
        "on: [latency]", "on: [latencies]",
        "36 retraining.rollback.on[0]: unknown objective; got 'latencies', expected one of recall, "
        "latency. Did you mean latency?",
    ),
    "key twice": (
        "  imbalance: none\n", "  imbalance: none\n  imbalance: smote\n",
        "22: this key is here twice; got 'imbalance'. It is on line 21 already; keep one.",
    ),
    "broken YAML": (
        "{trees: 50, depth: 3}}", "{trees: 50, depth: 3}",
        "21: not YAML (expected ',' or '}', but got '<scalar>'). "
        "Check indentation, colons and quotes here and just above.",
    ),
    "a tag": (
        "title: Small", "title: !!python/name:os.system x",
        "2: tags are not used here; got 'tag:yaml.org,2002:python/name:os.system', expected plain "
        "YAML.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", DESIGN_MISTAKES)
def test_design_mistakes(
    mistake: str, design_text: str, read_design: Read, message_of: Message
) -> None:
    right, wrong, expected = DESIGN_MISTAKES[mistake]
    assert right in design_text
    text = design_text.replace(right, wrong, 1)
    assert message_of(lambda: read_design(text)) == f"shop/mine.yaml:{expected}"


SCENARIO_MISTAKES = {
    "missing key": (
        "title: Shop\n", "", "1: missing key; expected title. title: A short name for people.",
    ),
    "missing key deep down": (
        "  mean: 2000/s\n", "",
        "13 load: missing key; expected mean. mean: Mean rate over an ordinary week at day 0.",
    ),
    "no time of day": (
        "peak: 19:00", "peak: 7pm",
        "15 load.daily.peak: wrong value; got '7pm', expected a time of day such as 19:00.",
    ),
    "unknown cost column": (
        "missed: amount", "missed: amuont",
        "20 costs.missed: unknown column; got 'amuont', expected one of amount. "
        "Did you mean amount?",
    ),
    "cost that is none": (
        "missed: amount + 25 USD", "missed: amount * x",
        "20 costs.missed: wrong value; got 'amount * x', expected a cost such as 8 USD or amount + "
        "25 USD.",
    ),
    "two bounds": (
        "at_least: 60%", "at_least: 60%, at_most: 1",
        "22 objectives.recall: wrong keys; got at_least, at_most, window, expected exactly one of "
        "at_least, at_most.",
    ),
    "unknown incident": (
        "timeline: [ring", "timeline: [rink",
        "31 timeline[0]: unknown incident; got 'rink', expected one of ring, cents. "
        "Did you mean ring?",
    ),
    "fault on no field": (
        "field: amount", "field: amnt",
        "30 incidents.cents.fault.field: unknown column; got 'amnt', expected one of amount. "
        "Did you mean amount?",
    ),
    "unknown category": (
        "channel == online", "channel == onlin",
        "30 incidents.cents.fault.where: unknown category; got 'onlin', expected one of shop, "
        "online. Did you mean online?",
    ),
    "missing ramp": (
        "ramp: 3d", "shape: gradual",
        "27 incidents.ring.drift: shape gradual needs `ramp`; expected a duration such as 10d.",
    ),
    "category without values": (
        ", values: [shop, online]", "",
        "11 event.columns.channel: a category needs `values`; expected a list of names.",
    ),
    "reserved column": (
        "    shop_id: {", "    label: {",
        "9 event.columns.label: this name is taken; expected another one.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SCENARIO_MISTAKES)
def test_scenario_mistakes(
    mistake: str, scenario_text: str, read_scenario: Read, message_of: Message
) -> None:
    right, wrong, expected = SCENARIO_MISTAKES[mistake]
    assert right in scenario_text
    text = scenario_text.replace(right, wrong, 1)
    assert message_of(lambda: read_scenario(text)) == f"shop/scenario.yaml:{expected}"


def test_right_files_load(
    design_text: str, scenario_text: str, read_design: Read, read_scenario: Read
) -> None:
    assert read_design(design_text).title == "Small"
    assert read_scenario(scenario_text).load.daily.peak == 19 * 3600
