"""Commands are checked where they come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.live.control import ACTIONS, MOST_BYTES, model_asked, parse_command
from sandbox.live.messages import Command
from sandbox.run.interventions import parse_interventions
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import Prepared, prepare


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("parcels", task="binary", into=root)
    return prepare(
        "parcels", design=None, seed=7, days=1, overrides=(), incidents=(), roots=(root,)
    )


def asked(prepared: Prepared, action: str, **args: object) -> Command:
    return parse_command(json.dumps({"action": action, "args": args}).encode(), prepared)


def knob(prepared: Prepared) -> str:
    return prepared.world_class.knobs[0].name


def test_quantities_come_in_base_units(prepared: Prepared) -> None:
    name = knob(prepared)
    high = prepared.world_class.knobs[0].high
    command = asked(prepared, "drift.set", knob=name, to=high, ramp="2d", **{"for": "12h"})
    assert command.args == {"knob": name, "to": high, "ramp": 172800.0, "for": 43200.0}
    assert asked(prepared, "canary", share="10%").args == {"share": 0.1}
    assert asked(prepared, "threshold", block="off", review=0.3).args == {
        "block": 1.0,
        "review": 0.3,
    }


def test_a_command_gets_an_id_and_keeps_its_own(prepared: Prepared) -> None:
    assert asked(prepared, "promote").id != asked(prepared, "promote").id
    command = Command("mine", "ada", "promote")
    import msgspec

    assert parse_command(msgspec.json.encode(command), prepared) == command


@pytest.mark.parametrize(
    ("action", "args", "says"),
    [
        ("promot", {}, "unknown action; got 'promot'"),
        ("promot", {}, "Did you mean promote?"),
        ("promote", {"now": 1}, "promote: unknown setting; got 'now', expected no settings"),
        ("canary", {}, "canary: something is missing; expected share"),
        ("canary", {"share": 1.5}, "canary share: out of bounds; got 1.5, expected a share"),
        ("canary", {"share": True}, "got True"),
        ("threshold", {}, "threshold: something is missing; expected review or block"),
        ("threshold", {"block": "never"}, "threshold block: not understood; got 'never'"),
        ("load", {"factor": 0}, "load factor: out of bounds; got 0"),
        ("load", {"factor": 1e9}, "up to 100"),
        ("load", {"factor": 2, "for": "0s"}, "expected a duration above 0"),
        ("drift.set", {"knob": "label_dely", "to": 2}, "Did you mean label_delay?"),
        ("drift.set", {"knob": "label_delay", "to": 99}, "expected 0.05 to 20 ratio. 1 is neutral"),
        ("drift.set", {"knob": "label_delay", "to": 2, "ramp": "2 moons"}, "expected a duration"),
        ("incident.start", {"name": "rign"}, "unknown incident; got 'rign', expected one of"),
        ("retrain", {"training.windw": "14d"}, "unknown key"),
        ("retrain", {"training.window": "soon"}, "expected a duration"),
    ],
)
def test_what_is_wrong_is_said(
    prepared: Prepared, action: str, args: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        asked(prepared, action, **args)
    assert says in caught.value.line()
    assert "\n" not in caught.value.line()


def test_a_retrain_says_what_is_trained(prepared: Prepared) -> None:
    command = asked(prepared, "retrain", **{"training.window": "14d", "reason": "on psi"})
    spec = model_asked(command, prepared)
    assert spec is not None
    assert spec.training.window == 14 * 86400.0
    assert model_asked(asked(prepared, "retrain"), prepared) is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe", b"[]", b"null", b'{"action": 1}', b'{"action": "promote", "args": []}',
        b'{"action": "promote", "more": 1}', b'{"action": "promote", "who": "a\\u001b[31m"}',
        b"[" * 5000, b'{"args": ' + b"[" * 5000, b'{"action": "load", "args": {"factor": 1e999}}',
        b" " * (MOST_BYTES + 1),
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused(prepared: Prepared, data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_command(data, prepared)


VALUES = st.one_of(
    st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False), st.integers(),
    st.booleans(), st.sampled_from(["2d", "off", "10%", "label_delay", "1e308d", "[[", "a: b"]),
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        ["knob", "to", "for", "ramp", "share", "factor", "name", "review", "block", "reason",
         "training.window", "imbalance", "champion", "training.refit"]
    ),
    st.text(max_size=20),
)  # fmt: skip


@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_a_command_or_refused(prepared: Prepared, data: bytes) -> None:
    try:
        assert parse_command(data, prepared).action in ACTIONS
    except UsageError as error:
        assert error.line().isprintable()


@given(
    action=st.sampled_from(sorted(ACTIONS)), args=st.dictionaries(NAMES, VALUES, max_size=4),
    who=st.text(max_size=10),
)  # fmt: skip
def test_any_settings_are_taken_or_refused(
    prepared: Prepared, action: str, args: dict[str, object], who: str
) -> None:
    data = json.dumps({"action": action, "args": args, "who": who}).encode("utf-8", "replace")
    try:
        command = parse_command(data, prepared)
    except UsageError as error:
        assert error.line().isprintable()
    else:
        assert set(command.args) == set(args)


def test_a_ranking_has_no_thresholds(tmp_path: Path) -> None:
    write_scenario("shop", task="ranking", into=tmp_path)
    shop = prepare(
        "shop", design=None, seed=7, days=1, overrides=(), incidents=(), roots=(tmp_path,)
    )
    with pytest.raises(UsageError, match="task ranking has no thresholds"):
        asked(shop, "threshold", block=0.5)
    with pytest.raises(UsageError, match="task ranking has no thresholds"):
        parse_interventions(["threshold@12h block=0.5"], shop)
    assert asked(shop, "explore", share="20%").args == {"share": 0.2}
