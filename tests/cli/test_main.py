from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import __version__
from sandbox.cli import author, main
from sandbox.errors import OutputError, SandboxError, UsageError, VerdictError


def sandbox(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "sandbox", *args], text=True, check=False, **options
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out == f"sandbox {__version__}\n"


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_lists_commands_and_exit_codes(
    args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(args) == 0
    shown = capsys.readouterr().out
    for command in ("list", "show", "run", "compare", "check", "new", "Exit codes:"):
        assert command in shown
    assert "..." not in shown.replace("[ARGS]...", ""), "a short help text is cut off"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["rnu"], "No such command 'rnu'"),
        (["list", "--jsn"], "sandbox list: no such option: --jsn"),
        (["show"], "sandbox show: missing argument 'NAME'. See `sandbox show --help`."),
        (["run", "x", "--days", "soon"], "sandbox run: invalid value for '--days'"),
        (["run", "x", "--days", "0"], "sandbox run: invalid value for '--days'"),
        (["run", "x", "--seed", "-1"], "sandbox run: invalid value for '--seed'"),
        (["list", "--scenarios", "no/such"], "--scenarios: no such folder; got 'no/such'"),
        (["run", "x", "--incident", "a", "--no-incidents"], "--incident, --no-incidents: cannot"),
        (["new", "Up Per"], "new NAME: not a name for a scenario; got 'Up Per'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    args: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    assert expected.lower() in err.lower()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SandboxError("it failed"), 1),
        (UsageError("wrong", where="a.yaml:3", got="x", expected="y"), 2),
        (VerdictError("no"), 3),
        (OutputError("disk full"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_failure_becomes_one_line_and_its_exit_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(author, "say", fail)
    monkeypatch.setattr("sandbox.run.scaffold.write_scenario", lambda name, **_: Path(name))
    assert main.main(["new", "anything"]) == code
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1


def test_a_bug_keeps_its_traceback_and_says_where_to_go(tmp_path: Path) -> None:
    code = (
        "from sandbox.cli import browse, main\n"
        "def broken(*_): raise ZeroDivisionError('ours')\n"
        "browse.scenario_roots = broken\n"
        "import sys; sys.argv = ['sandbox', 'list']\n"
        "main.entry()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "ZeroDivisionError: ours" in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("error: this is a bug of the sandbox")


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = sandbox("--help", stdout=write, stderr=subprocess.PIPE)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["--help", "list"])
def test_a_full_disk_under_standard_output_is_exit_code_4(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = sandbox(command, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 4
    assert done.stderr.startswith("error: standard output: could not be written")
    assert done.stderr.count("\n") == 1
