import errno
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import __version__
from tools.__main__ import COMMANDS, INTRO
from tools.cli import TRACEBACK_VARIABLE, Command, main
from tools.helptext import parse_docstring
from tools.options import bind

ran: list[dict[str, object]] = []


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help pages follow the terminal's width; workers of a parallel run have a narrow one."""
    monkeypatch.setenv("COLUMNS", "120")


def work(out: str, cases: int = 10, trouble: str = "") -> None:
    """Pretend to work.

    Args:
        out: Folder to write to.
        cases: How many patients, which is
            explained: on two lines.
        trouble: What goes wrong.

    Raises:
        ValueError: If told to.
    """
    ran.append({"out": out, "cases": cases})
    if trouble == "value":
        raise ValueError("cases must be at least 1,\n  not 0")
    if trouble == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), out)
    if trouble == "stop":
        raise KeyboardInterrupt
    if trouble == "bug":
        raise ZeroDivisionError


TABLE = {"work": Command(f"{__name__}:work", "Do some work.", "work out --cases 3")}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    ran.clear()
    monkeypatch.delenv(TRACEBACK_VARIABLE, raising=False)


def test_a_good_line_runs_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TABLE, "intro", ["work", "here", "--cases", "3"]) == 0
    assert ran == [{"out": "here", "cases": 3}]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["wrok"], "unknown command 'wrok'; did you mean 'work'?", id="command"),
        pytest.param(["--cases"], "unknown option '--cases'", id="option without command"),
        pytest.param(["work", "d", "--casse=3"], "--casse; did you mean '--cases'", id="option"),
        pytest.param(["work"], "missing OUT (see `python -m tools work --help`)", id="missing"),
        pytest.param(["work", "d", "--cases=abc"], "takes a whole number, not 'abc'", id="type"),
    ],
)
def test_bad_requests_are_refused_before_work(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(TABLE, "intro", words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert ran == []


@pytest.mark.parametrize(
    ("trouble", "code", "line"),
    [
        pytest.param("value", 2, "error: cases must be at least 1, not 0\n", id="bad value"),
        pytest.param("disk", 1, "error: d: No space left on device\n", id="disk full"),
        pytest.param("stop", 130, "stopped\n", id="Ctrl-C"),
    ],
)
def test_trouble_is_one_line_and_a_code(
    trouble: str, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(TABLE, "intro", ["work", "d", "--trouble", trouble]) == code
    assert capsys.readouterr() == ("", line)


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        main(TABLE, "intro", ["work", "d", "--trouble=bug"])


def test_a_one_line_error_can_be_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    with pytest.raises(ValueError, match="at least 1"):
        main(TABLE, "intro", ["work", "d", "--trouble=value"])


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_overview_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMANDS, INTRO, words) == 0
    page = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"\n  {name} " in page
        assert f"python -m tools {command.example}" in page


def test_help_explains_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TABLE, "intro", ["work", "d", "--help"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "usage: python -m tools work OUT [options]",
        "",
        "Pretend to work.",
        "",
        "arguments",
        "  OUT                 Folder to write to.",
        "",
        "options",
        "  --cases N           How many patients, which is explained: on two lines. (default: 10)",
        "  --trouble TEXT      What goes wrong.",
        "",
        "example",
        "  python -m tools work out --cases 3",
    ]
    assert ran == []


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_its_arguments_and_its_example_fits(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS[name]
    function = command.load()
    assert main(COMMANDS, INTRO, [name, "--help"]) == 0
    assert "usage: python -m tools" in capsys.readouterr().out
    _, explained = parse_docstring(inspect.getdoc(function) or "")
    assert set(explained) == set(inspect.signature(function).parameters)
    first, *rest = command.example.split()
    assert first == name
    bind(function, rest)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(COMMANDS, INTRO, ["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def run(repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools", *words],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_real_process_refuses_with_code_2(repository: Path) -> None:
    done = run(repository, "phantm", "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown command 'phantm'; did you mean 'phantom'?\n"


def test_help_does_not_import_the_commands(repository: Path) -> None:
    program = (
        "import sys; sys.argv = ['tools']; import runpy\n"
        "try: runpy.run_module('tools', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'numpy', 'monai'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_pipe_is_no_error(repository: Path) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m tools | true; echo "${{PIPESTATUS[0]}}"',
        cwd=repository,
        capture_output=True,
        text=True,
        shell=True,
        executable="/bin/bash",
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
