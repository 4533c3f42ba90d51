"""Whatever a user's file says, it loads or is refused in one line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.errors import SandboxError
from sandbox.spec.loading import design_from, load_design, load_scenario
from sandbox.spec.overrides import apply_overrides
from sandbox.spec.source import Source

JUNK = (
    "", "null", "~", "true", "-1", "0", "1e999", ".nan", ".inf", "-.inf", "99999999999999999999999",
    "1" * 400, "0x1F", "[]", "{}", "[[[]]]", "{a: {b: c}}", "yes", "on", "19:00", "2026-13-45",
    "7d", "-7d", "5 bananas", "100%", "150%", "*nope", "&x 1", "!!python/object:os.system {}",
    "!!str 5", '"\\UFFFFFFFF"', '"\\ud800"', "'", '"', "%", "@", "`", "| ", "\t", "- ", "? x",
    "a: b", "x" * 300, "é", "\u2028", "\u0085", "\x07", "\ufeff", "label", "buyer_id", "never",
    "amount + ", "1.2.3 * amount", "channel ==", "all", "0d", "1000000000d", "1" * 5000,
)  # fmt: skip

slow = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def edits(draw: st.DrawFn) -> Callable[[str], str]:
    kind = draw(st.sampled_from(("delete", "repeat", "swap", "scalar", "letter", "insert", "cut")))
    where = draw(st.floats(0, 1, exclude_max=True))
    other = draw(st.floats(0, 1, exclude_max=True))
    junk = draw(st.sampled_from(JUNK) | st.text(max_size=8))

    def edit(text: str) -> str:
        lines = text.splitlines()
        row, second = int(where * len(lines)), int(other * len(lines))
        place = int(where * len(text))
        if not lines:
            return junk
        if kind == "delete":
            del lines[row]
        elif kind == "repeat":
            lines.insert(second, lines[row])
        elif kind == "swap":
            lines[row], lines[second] = lines[second], lines[row]
        elif kind == "scalar":
            lines[row] = f"{lines[row].partition(':')[0]}: {junk}"
        elif kind == "letter":
            return (
                text[:place]
                + text[place + 1 : place + 2]
                + text[place : place + 1]
                + text[place + 2 :]
            )
        elif kind == "insert":
            return text[:place] + junk + text[place:]
        else:
            return text[:place]
        return "\n".join(lines)

    return edit


def _fails_well(call: Callable[[], object], name: str) -> None:
    try:
        call()
    except SandboxError as error:
        line = error.line()
        assert line.strip()
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        assert name in line
        assert "Value error" not in line


@slow
@given(st.lists(edits(), min_size=1, max_size=3))
def test_mutated_design(
    read_design: Callable[[str], Any], design_text: str, mutations: list[Callable[[str], str]]
) -> None:
    text = design_text
    for mutate in mutations:
        text = mutate(text)
    _fails_well(lambda: read_design(text), "shop/mine.yaml")


@slow
@given(st.lists(edits(), min_size=1, max_size=3))
def test_mutated_scenario(
    read_scenario: Callable[[str], Any], scenario_text: str, mutations: list[Callable[[str], str]]
) -> None:
    text = scenario_text
    for mutate in mutations:
        text = mutate(text)
    _fails_well(lambda: read_scenario(text), "shop/scenario.yaml")


@slow
@given(st.binary(max_size=60), st.integers(0, 800), st.booleans())
@example(b"\xff\xfe", 0, True)
@example(b"\x00", 5, False)
def test_any_bytes(tmp_path: Path, design_text: str, junk: bytes, place: int, whole: bool) -> None:
    content = design_text.encode()
    file = tmp_path / "odd.yaml"
    file.write_bytes(junk if whole else content[:place] + junk + content[place:])
    _fails_well(lambda: load_design(file), "odd.yaml")
    _fails_well(lambda: load_scenario(file), "odd.yaml")


KEYS = st.sampled_from(
    ("pipeline.workers", "features[0]", "features[3].count.over", "model.champion", "model",
     "monitoring.alerts[0].psi", "retraining.when[1]", "retraining", "decision.block", "title",
     "monitoring.alerts[3]", "ingest.key", "features", "decision.review.capacity")
)  # fmt: skip


@slow
@given(KEYS | st.text(max_size=12), st.sampled_from(JUNK) | st.text(max_size=12))
def test_any_setting(design_source: Source, key: str, value: str) -> None:
    _fails_well(
        lambda: design_from(apply_overrides(design_source, [f"{key}={value}"])),
        "--set" if key else "",
    )
