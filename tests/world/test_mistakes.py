from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from sandbox.errors import UsageError
from sandbox.world.mistakes import blamed_on, line_in

SOURCE = "def fine():\n    return 1\n\n\ndef broken(shops):\n    return shops['x']\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "world.py").write_text(SOURCE)
    return tmp_path / "world.py"


def load(file: Path) -> ModuleType:
    module = ModuleType("world")
    code = compile(file.read_text(), str(file), "exec")
    exec(code, vars(module))
    return module


def test_a_mistake_is_told_with_its_line(file: Path) -> None:
    module = load(file)
    with pytest.raises(UsageError) as caught, blamed_on(file, "Mend it."):
        module.broken({})
    assert str(caught.value) == f"{file}:6: KeyError: 'x'. Mend it."
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_does_not_come_out_of_the_file_stays_as_it_is(file: Path) -> None:
    with pytest.raises(KeyError), blamed_on(file):
        dict[str, int]()["x"]
    with pytest.raises(KeyboardInterrupt), blamed_on(file):
        raise KeyboardInterrupt
    with blamed_on(file):
        assert load(file).fine() == 1


def test_a_file_that_cannot_be_read_as_python_has_a_line_too(file: Path) -> None:
    file.write_text("x = 1\ny = (\n")
    with pytest.raises(UsageError, match=r"world\.py:2: SyntaxError"), blamed_on(file):
        load(file)


def test_an_error_from_elsewhere_has_no_line(file: Path) -> None:
    assert line_in(ValueError("never raised"), file) is None
