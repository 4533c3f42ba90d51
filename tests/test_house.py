"""Rules of the house that no linter holds: sizes, public faces, forbidden words and calls."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = sorted((ROOT / "sandbox").rglob("*.py"))
PACKAGE = [path for path in PACKAGE if "_scenarios" not in path.parts]
WORLDS = sorted((ROOT / "scenarios").rglob("*.py"))
ALL = [*PACKAGE, *WORLDS, *sorted((ROOT / "tests").rglob("*.py"))]

MOST_LINES = 400
MOST_FUNCTION_LINES = 40
SCENARIOS_MAY_IMPORT = ("sandbox.world", "sandbox.batch")
SUBJECTS = re.compile(r"fraud|customer|terminal_id|merchant", re.IGNORECASE)
ASSETS = [
    path
    for path in sorted((ROOT / "sandbox").rglob("*"))
    if path.suffix in {".html", ".js", ".css", ".tmpl"} and "_scenarios" not in path.parts
]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def broken_calls(module: ast.Module) -> Iterator[str]:
    """Yield what the house forbids: loading code from data, unsafe YAML, swallowing everything."""
    for name in imports(module):
        if name.split(".")[0] in {"pickle", "cPickle", "dill", "joblib", "shelve", "yaml"}:
            yield f"imports {name}"
    for node in ast.walk(module):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or _is_broad(kind) for kind in caught) and not _reraises(node):
                yield f"line {node.lineno}: catches everything"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and _not_false(node.value):
            yield f"line {node.value.lineno}: allow_pickle"
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: global"
        if isinstance(node, ast.Name) and node.id in {"eval", "exec"}:
            yield f"line {node.lineno}: {node.id}"


def _not_false(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value is False)


def _is_broad(kind: ast.expr) -> bool:
    return isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}


def _reraises(handler: ast.ExceptHandler) -> bool:
    """Cleaning up and raising again hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def long_functions(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]
            if lines > MOST_FUNCTION_LINES:
                yield f"{node.name} has {lines} lines"


def words_in_code(module: ast.Module) -> Iterator[str]:
    """Yield names and texts of the code itself: docstrings may give examples and sources."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Name | ast.arg | ast.Attribute | ast.keyword):
            yield str(getattr(node, "id", None) or getattr(node, "arg", None) or "")
            yield getattr(node, "attr", "")
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield str(node.value)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_check() -> None:
    assert len(PACKAGE) > 40
    assert WORLDS


@pytest.mark.parametrize("path", ALL, ids=named)
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", [*PACKAGE, *WORLDS], ids=named)
def test_functions_are_small(path: Path) -> None:
    assert not list(long_functions(tree(path)))


@pytest.mark.parametrize("path", [*PACKAGE, *WORLDS], ids=named)
def test_nothing_forbidden_is_called(path: Path) -> None:
    assert not list(broken_calls(tree(path)))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "try:\n    x()\nexcept Exception:\n    pass",
        "try:\n    x()\nexcept (ValueError, BaseException):\n    pass",
        "try:\n    x()\nexcept:\n    pass",
        "np.load(p, allow_pickle=True)",
        "eval('1')",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_the_check_sees_what_is_forbidden(source: str) -> None:
    assert list(broken_calls(ast.parse(source)))


@pytest.mark.parametrize("path", PACKAGE, ids=named)
def test_modules_say_what_they_are(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", PACKAGE, ids=named)
def test_shared_code_knows_no_scenario(path: Path) -> None:
    assert not [word for word in words_in_code(tree(path)) if SUBJECTS.search(word)]


@pytest.mark.parametrize("path", ASSETS, ids=named)
def test_shared_assets_know_no_scenario(path: Path) -> None:
    assert not SUBJECTS.findall(path.read_text())


def test_the_check_sees_subjects_in_code_but_not_in_docstrings() -> None:
    source = 'def f(customer):\n    """An example: customer_id."""\n    return "merchant"\n'
    assert {w for w in words_in_code(ast.parse(source)) if SUBJECTS.search(w)} == {
        "customer",
        "merchant",
    }


@pytest.mark.parametrize("path", WORLDS, ids=named)
def test_scenarios_use_only_the_public_face(path: Path) -> None:
    ours = [name for name in imports(tree(path)) if name.startswith((".", "sandbox", "scenarios"))]
    assert ours, "a world builds on sandbox.world"
    assert not [name for name in ours if name not in SCENARIOS_MAY_IMPORT]


def test_environment_is_read_by_the_command_line_only() -> None:
    readers = [p for p in PACKAGE if re.search(r"os\.environ|os\.getenv|\bgetenv\(", p.read_text())]
    assert {p.parent.name for p in readers} <= {"cli"}


def test_public_face_is_exactly_what_it_says() -> None:
    import sandbox

    assert dir(sandbox) == sorted(sandbox.__all__)
    for name in sandbox.__all__:
        assert getattr(sandbox, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Batsch'"):
        sandbox.Batsch  # noqa: B018


def test_importing_the_package_is_light() -> None:
    heavy = ["numpy", "xgboost", "sklearn", "river", "plotly", "pyarrow", "numba", "rich"]
    code = f"import sandbox, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", PACKAGE, ids=named)
def test_modules_import_alone(path: Path) -> None:
    if path.name == "__main__.py":
        pytest.skip("runs the command")
    module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    importlib.import_module(module.removesuffix(".__init__"))
