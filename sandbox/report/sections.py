"""The parts of the report that are words and tables."""

from __future__ import annotations

from sandbox.record import IncidentRecord, RunRecord, VersionRecord
from sandbox.report.facts import (
    alerts_outside,
    incident_facts,
    key_numbers,
    result_word,
    verdict_sentence,
)
from sandbox.report.markup import Html, el, table
from sandbox.report.numbers import DASH, day, number, quality, share, words
from sandbox.task import get_task

__all__ = [
    "alerts_table",
    "dead_letters",
    "headline",
    "incident_cards",
    "interventions_table",
    "notes",
    "verdict_table",
    "version_cards",
    "versions_table",
]

PASSED_SHOWN = {"✓": "pass", "✗": "fail", DASH: "unknown"}


def _badge(symbol: str, word: str) -> Html:
    return el("span", f"{symbol} {word}", class_=f"badge {PASSED_SHOWN[symbol]}")


def headline(record: RunRecord) -> Html:
    """Return title, verdict and key numbers."""
    facts = [f"{record.design} design", f"seed {record.seed}", f"{record.days:g} days",
             f"from {record.start_date}", f"{record.task} task"]  # fmt: skip
    if record.population != 1:
        facts.append(f"1 simulated entity stands for {record.population:,g}")
    verdict = "pass" if record.passed else "fail"
    if not any(r.passed is not None for r in record.objectives):
        verdict = "unknown"
    tiles = [
        el("div", el("dt", t.label), el("dd", t.value), el("dd", t.note), class_="tile")
        for t in key_numbers(record)
    ]
    partial = el(
        "p",
        "Partial run: it was stopped before its end. Everything below covers only the days that "
        "were simulated.",
        class_="banner",
        role="note",
    )
    return el(
        "header",
        el("p", record.scenario, class_="eyebrow"),
        el("h1", record.title or record.scenario),
        el("p", *_dotted(facts), class_="facts"),
        Html("") if record.complete else partial,
        el("p", verdict_sentence(record), class_=f"verdict {verdict}"),
        el("dl", *tiles, class_="tiles"),
    )


def _dotted(facts: list[str]) -> list[Html]:
    return [el("span", fact) for fact in facts]


def verdict_table(record: RunRecord) -> Html:
    """Return objectives against measurements, with a symbol and a word for each result."""
    if not record.objectives:
        return _nothing("No objective was measured.")
    rows = []
    for result in record.objectives:
        symbol, word, _ = result_word(result)
        evidence = el("span", result.evidence, class_="muted")
        shown = el("strong", result.shown)
        rows.append([words(result.name), result.target, shown, _badge(symbol, word), evidence])
    head = ("Objective", "Target", "Measured", "Result", "Evidence")
    return table(head, rows, numeric=(2,), class_="stacked")


def _nothing(text: str) -> Html:
    return el("p", text, class_="muted")


def incident_cards(record: RunRecord) -> Html:
    """Return a card for each incident: what it did, who noticed, what was learnt."""
    if not record.incidents:
        return _nothing("No incident was scheduled.")
    cards = [_incident_card(i, record.primary) for i in record.incidents]
    return el("div", *cards, class_="cards")


def _incident_card(incident: IncidentRecord, primary: str) -> Html:
    facts = [
        Html(el("dt", label) + el("dd", text)) for label, text in incident_facts(incident, primary)
    ]
    return el(
        "article",
        el("p", incident.kind, class_="eyebrow"),
        el("h3", words(incident.name)),
        el("p", incident.story, class_="story"),
        el("dl", *facts, class_="facts-list"),
        el("p", incident.lesson, class_="lesson") if incident.lesson else Html(""),
        class_="card",
    )


def _fate(version: VersionRecord) -> str:
    if version.promoted_day is None:
        return "never promoted"
    end = "today" if version.retired_day is None else day(version.retired_day)
    text = f"{day(version.promoted_day)} to {'the end' if end == 'today' else end}"
    return text + (", rolled back" if version.rolled_back else "")


def _bought(version: VersionRecord) -> str:
    return DASH if version.bought is None else f"{version.bought:+.3f}"


def versions_table(record: RunRecord) -> Html:
    """Return one row for each version: trigger, gate, life, and what its promotion bought."""
    if not record.versions:
        return _nothing("No model version was trained.")
    rows = [
        [el("strong", f"v{v.version}"), v.trigger, day(v.trained_day), f"{v.rows:,}",
         f"{v.positives:,}", _badge("✓", "passed") if v.gate_passed else _badge("✗", "refused"),
         _fate(v), _bought(v)]
        for v in record.versions
    ]  # fmt: skip
    cases = get_task(record.task).cases.capitalize()
    head = ("Version", "Trigger", "Trained", "Rows", cases, "Gate", "Live",
            f"Bought ({words(record.primary)})")  # fmt: skip
    return table(head, rows, numeric=(3, 4, 7))


def version_cards(record: RunRecord) -> Html:
    """Return a card for each version: metrics beside champion and baseline, gate reasons."""
    return el("div", *(_version_card(v) for v in record.versions), class_="cards")


def _version_card(version: VersionRecord) -> Html:
    metrics = dict.fromkeys([*version.offline, *version.offline_baseline])
    rows = [
        [words(m), quality(version.offline.get(m)), quality(version.offline_champion.get(m)),
         quality(version.offline_baseline.get(m))]
        for m in metrics
    ]  # fmt: skip
    head = ("Validation", f"v{version.version}", "champion", "baseline")
    window = f"trained on {day(version.train_from_day)} to {day(version.train_to_day)}"
    verdict = _badge("✓", "gate passed") if version.gate_passed else _badge("✗", "gate refused")
    return el(
        "article",
        el("p", version.trigger, class_="eyebrow"),
        el("h3", f"v{version.version} ", verdict),
        el("p", f"{window}; {_fate(version)}", class_="story"),
        table(head, rows, numeric=(1, 2, 3)) if rows else Html(""),
        el("ul", *(el("li", reason) for reason in version.reasons))
        if version.reasons
        else Html(""),
        class_="card",
    )


def alerts_table(record: RunRecord) -> Html:
    """Return every alert, and whether an incident was on."""
    if not record.alerts:
        return _nothing("No alert was raised.")
    outside = set(map(id, alerts_outside(record)))
    rows = [
        [day(a.day), a.kind, a.subject, number(a.value),
         number(a.threshold) if a.threshold else DASH,
         "no" if id(a) in outside else "yes", el("span", a.text, class_="muted")]
        for a in record.alerts
    ]  # fmt: skip
    head = ("Day", "Monitor", "Subject", "Value", "Threshold", "During an incident", "Message")
    return table(head, rows, numeric=(3, 4))


def interventions_table(record: RunRecord) -> Html:
    """Return what a person on call did."""
    rows = [[day(one.day), one.text, one.outcome] for one in record.interventions]
    return table(("Day", "Action", "Outcome"), rows)


def dead_letters(record: RunRecord) -> Html:
    """Return events by fate: decisions, fallbacks, dead letters by reason."""
    if not record.counts:
        return _nothing("No event was counted.")
    total = max(record.events, 1)
    rows = [
        [words(name.replace("dead_letter.", "dead letter: ")), f"{count:,}", share(count / total)]
        for name, count in record.counts.items()
    ]
    return table(("Fate", "Events", "Share of events"), rows, numeric=(1, 2))


def notes(record: RunRecord) -> Html:
    """Return what limits these numbers."""
    fixed = [
        "Oracle values are the simulator's own; nobody has them in production.",
        "Observed values use labels that have matured; recent days are missing on purpose.",
        "Estimated values use no labels: they trust the calibration of the model and cannot see "
        "concept drift.",
    ]
    return el("ul", *(el("li", text) for text in [*record.notes, *fixed]))
