from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.errors import OutputError, UsageError
from sandbox.model import (
    STRATEGIES,
    ModelVersion,
    TrainingData,
    TrainingWindow,
    load_version,
    save_version,
    train,
    version_from_files,
)
from sandbox.spec.design import Decision, Imbalance, ModelSpec
from sandbox.task import get_task

DAY = 86400.0


def version(
    data: TrainingData, names: tuple[str, ...], imbalance: Imbalance, calibration: str
) -> ModelVersion:
    model = ModelSpec.model_validate(
        {
            "champion": {"xgboost": {"trees": 5, "depth": 2}},
            "imbalance": imbalance,
            "calibration": calibration,
        }
    )
    window = TrainingWindow(0.0, 14 * DAY, 21 * DAY)
    decision, task = Decision(block=None), get_task("binary")
    trained = train(data, model, decision, task, window, now=30 * DAY, seed=1, names=names)
    return trained.version


@pytest.mark.parametrize("imbalance", STRATEGIES)
@pytest.mark.parametrize("calibration", ["none", "sigmoid", "isotonic"])
def test_what_is_saved_comes_back(
    imbalance: Imbalance,
    calibration: str,
    data: TrainingData,
    names: tuple[str, ...],
    tmp_path: Path,
) -> None:
    first = version(data, names, imbalance, calibration)
    save_version(first, tmp_path / "v1")
    back = load_version(tmp_path / "v1")
    x = data.features[:1440]
    np.testing.assert_array_equal(back.predict(x), first.predict(x))
    np.testing.assert_array_equal(back.predict_baseline(x), first.predict_baseline(x))
    assert back.files() == first.files()
    assert back.block_above == np.inf and back.names == names and back.window == first.window
    assert back.offline == dict(first.offline)


def test_no_pickle_in_the_files(data: TrainingData, names: tuple[str, ...]) -> None:
    files = version(data, names, "balanced_bagging", "isotonic").files()
    assert {Path(path).suffix for path in files} == {".json", ".ubj"}


@pytest.mark.parametrize("part", ["version.json", "scorer/trees.ubj", "baseline/linear.json"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\x80\x04nonsense"])
def test_damaged_files_are_one_clear_line(
    part: str, content: bytes | None, data: TrainingData, names: tuple[str, ...]
) -> None:
    files = version(data, names, "none", "none").files()
    if content is None:
        del files[part]
    else:
        files[part] = content
    with pytest.raises(UsageError, match=r"^shelf/v1: model ") as caught:
        version_from_files(files, where="shelf/v1")
    assert "\n" not in caught.value.line()


def test_writing_is_all_or_nothing(
    data: TrainingData, names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = version(data, names, "none", "none")
    save_version(first, tmp_path / "v1")
    with pytest.raises(OutputError, match="exists already"):
        save_version(first, tmp_path / "v1")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save_version(first, tmp_path / "v2")
    assert [p.name for p in tmp_path.iterdir()] == ["v1"]
    with pytest.raises(UsageError, match="incomplete"):
        load_version(tmp_path / "v9")
