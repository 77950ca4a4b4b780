"""The page of fractures: whole, worded as the rules want, every number where it belongs."""

import re
from typing import Any

import pytest

from tests.tools.evaluate.conftest import Evaluation
from tests.tools.evaluate.test_html import cells
from tests.tools.report.reader import read
from tests.tools.report.test_words import NEVER
from tools.evaluate.words import counted, number
from tools.report.words import RESEARCH_USE
from tools.statistics import Estimate


def rate(found: dict[str, Any]) -> str:
    return counted(Estimate(**found), 3)


def test_the_page_is_whole_and_says_what_it_is(fractures: Evaluation) -> None:
    page = read(fractures.page)
    assert "<h1>Evaluation of vertebral fractures: phantom results</h1>" in fractures.page
    assert RESEARCH_USE in page.text
    assert not re.search(r"url\(|@import|<script|<link|<iframe|https?://", fractures.page)
    assert not re.search(r"None|\bnan\b|\{|\[\]", page.text)
    assert not re.search(NEVER, page.text, re.IGNORECASE)
    assert len(page.all("img")) == 2
    assert {path.name for path in fractures.out.glob("*.png")} == {
        "roc.png", "confusion_fractures.png",
    }  # fmt: skip
    assert "A-0005" not in fractures.page
    assert "Outside it, with rows of their own: grade 1: " in page.text


@pytest.mark.parametrize("method", ["lstm", "height loss", "Reader 1"])
def test_all_scans_first_and_those_judged_below(fractures: Evaluation, method: str) -> None:
    found = fractures.number("fractures", "B", method, "main")
    everyone, judged = (row for row in cells(fractures.page, "B", method) if len(row) in (6, 8))
    names = ("accuracy", "sensitivity", "specificity")
    assert everyone[3:] == [rate(found[f"{name}_all"]) for name in names]
    assert judged[4] == rate(found["sensitivity_measured"])
    assert judged[6] == number(Estimate(**found["f1_measured"]), 3)
    assert judged[7] == number(Estimate(**found["auc"]), 3)


def test_s1_stands_below_with_its_own_denominators(fractures: Evaluation) -> None:
    row = next(row for row in cells(fractures.page, "S1", "CNN + LSTM") if len(row) == 8)
    assert row[2] == "115/129 = 0.891\n(0.825 to 0.939)"
    assert row[4:6] == ["69/81 = 0.852\n(0.756 to 0.921)", "46/48 = 0.958\n(0.857 to 0.995)"]
    assert ["S1", "CNN + LSTM", "fracture", "69", "12"] in cells(fractures.page, "S1")
    assert ["S1", "CNN + LSTM", "none", "2", "46"] in cells(fractures.page, "S1")


def test_rule_and_readers_stand_against_the_network(fractures: Evaluation) -> None:
    for other, key in (("height loss", ("against_rule", "A", "lstm", "main")),
                       ("Reader 2", ("against_readers", "A", "lstm", "Reader 2"))):  # fmt: skip
        found = fractures.number(*key)
        row = cells(fractures.page, "A", "lstm", other)[0]
        apart = found["accuracy_difference_measured"]
        assert row[3:5] == [str(apart["n"]), number(Estimate(**apart), 3)]


def test_strata_stand_in_rows(fractures: Evaluation) -> None:
    found = fractures.number("fractures", "all scanners", "lstm")
    row = cells(fractures.page, "kind", "crush")[0]
    assert row[2] == rate(found["kind: crush"]["sensitivity_all"])
    row = cells(fractures.page, "mimic", "burst")[0]
    assert row[2] == rate(found["mimic: burst"]["specificity_all"])
    areas = cells(fractures.page, "density", "osteopenia")[-1]
    assert areas[2] == number(Estimate(**found["density: osteopenia"]["auc"]), 3)
