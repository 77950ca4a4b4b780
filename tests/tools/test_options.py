from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.options import UsageError, bind


def command(
    out: str,
    *,
    cases: int = 10,
    seed: int = 0,
    scanner: str | Sequence[str] = "A",
    recipe: str = "standard",
    format: Literal["nifti", "dicom"] = "nifti",  # noqa: A002 (an option of the contract)
    spacing_mm: float | None = None,
    paired: bool = False,
    levels: tuple[str, ...] = ("L1",),
    calibration: Path | None = None,
) -> None:
    raise AssertionError("binding must not run the command")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["d"], {"out": "d"}, id="positional"),
        pytest.param(["--out", "d"], {"out": "d"}, id="keyword"),
        pytest.param(["--out=a=b"], {"out": "a=b"}, id="equals sign in the value"),
        pytest.param(["123"], {"out": "123"}, id="digits stay text"),
        pytest.param(["[1, 2"], {"out": "[1, 2"}, id="brackets stay text"),
        pytest.param(["d", "--recipe", "123"], {"out": "d", "recipe": "123"}, id="digit name"),
        pytest.param(["d", "--recipe=None"], {"out": "d", "recipe": "None"}, id="None stays text"),
        pytest.param(["d", "--scanner", "A,B"], {"out": "d", "scanner": "A,B"}, id="comma"),
        pytest.param(["d", "--levels", "L1,L2"], {"out": "d", "levels": ("L1", "L2")}, id="tuple"),
        pytest.param(["d", "--seed", "1e3"], {"out": "d", "seed": 1000}, id="exponent"),
        pytest.param(["d", "--seed", "-3"], {"out": "d", "seed": -3}, id="negative"),
        pytest.param(["--cases", "3", "d"], {"out": "d", "cases": 3}, id="option first"),
        pytest.param(["d", "--spacing-mm", "2"], {"out": "d", "spacing_mm": 2.0}, id="hyphen"),
        pytest.param(["d", "--spacing_mm=2"], {"out": "d", "spacing_mm": 2.0}, id="underscore"),
        pytest.param(["d", "--spacing-mm=none"], {"out": "d", "spacing_mm": None}, id="none"),
        pytest.param(["d", "--calibration=1"], {"out": "d", "calibration": Path("1")}, id="path"),
        pytest.param(["--paired", "d"], {"out": "d", "paired": True}, id="switch before value"),
        pytest.param(["d", "--paired", "no"], {"out": "d", "paired": False}, id="switch with word"),
        pytest.param(["d", "--nopaired"], {"out": "d", "paired": False}, id="switch off"),
        pytest.param(["d", "--format", "dicom"], {"out": "d", "format": "dicom"}, id="choice"),
    ],
)
def test_words_become_arguments(words: list[str], expected: dict[str, Any]) -> None:
    bound = bind(command, words)
    assert bound == expected
    assert all(type(bound[name]) is type(value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param([], "missing OUT", id="nothing"),
        pytest.param(["--cases", "3"], "missing OUT", id="required missing"),
        pytest.param(["d", "e"], "unexpected argument 'e'", id="too many"),
        pytest.param(["d", "--out", "e"], "--out is given twice", id="positional and keyword"),
        pytest.param(["d", "--seed=1", "--seed=2"], "--seed is given twice", id="twice"),
        pytest.param(["d", "--case", "3"], "--case; did you mean '--cases'", id="unknown"),
        pytest.param(["d", "--scaner=B"], "--scaner; did you mean '--scanner'", id="misspelt"),
        pytest.param(["d", "-c", "3"], "unknown option -c", id="short"),
        pytest.param(["d", "-", "e"], "unexpected argument '-'", id="fire separator"),
        pytest.param(["d", "--", "--interactive"], "unexpected argument '--'", id="fire flags"),
        pytest.param(["d", "--cases"], "--cases needs a value", id="no value at the end"),
        pytest.param(["d", "--cases", "--paired"], "--cases needs a value", id="no value"),
        pytest.param(["d", "--cases", "abc"], "--cases takes a whole number", id="not a number"),
        pytest.param(["d", "--cases", "1.5"], "--cases takes a whole number", id="not whole"),
        pytest.param(["d", "--cases", "inf"], "--cases takes a whole number", id="infinite"),
        pytest.param(["d", "--spacing-mm", "x"], "--spacing-mm takes a number", id="not a float"),
        pytest.param(["d", "--paired=maybe"], "--paired takes true or false", id="not a switch"),
        pytest.param(["d", "--format=dcm"], "nifti, dicom, not 'dcm'; did you", id="choice"),
        pytest.param(["d", "--nocases"], "unknown option --nocases", id="no- for a number"),
    ],
)
def test_bad_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        bind(command, words)
    assert message in str(refusal.value)


@given(st.text(min_size=1).filter(lambda text: not text.startswith("-")))
def test_any_text_reaches_the_command_unchanged(text: str) -> None:
    assert bind(command, [text, f"--recipe={text}"]) == {"out": text, "recipe": text}
