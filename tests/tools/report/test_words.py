import re

import pytest

from tests.tools.report import made_up
from tools.report import words

NEVER = r"normal bone|no fracture(?! detected in)|healthy|T-score|you "


@pytest.mark.parametrize("code", sorted(words.FINDINGS))
def test_every_finding_says_what_and_what_to_do(code: str) -> None:
    found = words.finding(code)
    assert found.title
    assert not found.title.endswith(".")
    for text in (found.meaning, found.action):
        assert text[0].isupper()
        assert text.endswith(".")
        assert not any("_" in code and code in text for code in words.FINDINGS)
        assert not re.search(NEVER, text, re.IGNORECASE)


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown reason or warning 'odd'"):
        words.finding("odd")


@pytest.mark.parametrize("category", ["osteoporosis", "osteopenia", "normal"])
def test_the_verdict_is_the_fixed_wording(category: str) -> None:
    assert words.verdict(category) == (
        f"opportunistic estimate, research use; in the range called {category} by ACR; "
        "not a diagnosis, confirm with DXA or QCT"
    )


def test_a_network_that_saw_nothing_says_where() -> None:
    covered = ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    found = {"status": "measured", "reasons": [], "decision": "negative", "probability": 0.04}
    said = words.fracture_network(found | {"levels_covered": covered})
    assert said == "no fracture detected in T10–L5 (probability 0.04)"


def test_a_network_that_did_not_judge_says_why() -> None:
    found = {"status": "refused", "reasons": ["thick", "noisy"]}
    assert words.fracture_network(found) == "not judged: thick slices and noisy"


def test_a_fracture_is_described_by_its_worst_place() -> None:
    said = words.fracture("L1", made_up.fractured())
    assert said == "L1: 31 % of the anterior height lost, grade 2 (moderate)"


def test_what_was_not_measured_of_a_fracture_is_not_said() -> None:
    assert words.fracture("L2", made_up.level(height_loss=None, fracture_grade=None)) == "L2"


@pytest.mark.parametrize(
    ("level", "why"),
    [
        pytest.param(made_up.level(), None, id="counts"),
        pytest.param(made_up.level(warnings=["noisy"]), None, id="counts with a warning"),
        pytest.param(made_up.fractured(), "fracture_suspected", id="fracture"),
        pytest.param(made_up.missing("no_anchor"), "no_anchor", id="refused"),
    ],
)
def test_what_keeps_a_level_out(level: dict[str, object], why: str | None) -> None:
    assert words.left_out(level) == why


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("no_axial_data", ["cuts the body off", "6 mm", "no numbers"], id="all causes"),
        pytest.param("scale", ["−1000 ± 30 HU", "dark as fat"], id="air or fat"),
        pytest.param("noisy", ["that density is read from"], id="slab"),
        pytest.param("heterogeneous", ["whole trabecular bone", "slab"], id="core or slab"),
    ],
)
def test_a_finding_names_all_that_its_code_judges(code: str, said: list[str]) -> None:
    """`no_axial_data` spoke only of sagittal stacks, `scale` of air, `noisy` of the patch."""
    meaning = words.finding(code).meaning
    assert all(part in meaning for part in said)
