"""Counting from sacrum and ribs, and when neither is believed."""

import numpy as np
import pytest

from lumbar_bundle.anchors import Evidence, place
from lumbar_bundle.chain import Body
from lumbar_bundle.ribs import RibEvidence
from lumbar_bundle.sacrum import SacrumFinding

LONG, SHORT, UNSEEN = RibEvidence(80.0, 75.0), RibEvidence(20.0, 15.0), RibEvidence(None, None)
ONE_SIDE, WAVERS = RibEvidence(80.0, None), RibEvidence(None, 28.0)
SACRUM, NO_SACRUM = SacrumFinding(True), SacrumFinding(False, "no sacrum")


def body(height: float) -> Body:
    grid = np.stack(np.meshgrid(*[np.arange(-12.0, 13, 2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return Body(1, np.array([0, 0, height]), grid + [0, 0, height], 15000.0, 0.95)


def evidence(
    said: list[int],
    sacrum: SacrumFinding = NO_SACRUM,
    ribs: list[RibEvidence] | None = None,
    hole_above: int | None = None,
    sure: float = 0.92,
) -> Evidence:
    """A chain that the network calls `said` (0 = L5, 1 = L4 …), perhaps with a body missing."""
    heights = [34.0 * (k + (hole_above is not None and k > hole_above)) for k in range(len(said))]
    votes = np.full((len(said), 9), (1 - sure) / 8)
    votes[np.arange(len(said)), np.array(said) + 1] = sure
    bodies = [body(height) for height in heights]
    return Evidence(bodies, votes, [True] * len(said), sacrum, ribs or [])


def first_position(known: Evidence) -> int | None:
    return place(known)[0].position


def ribs(without: int, with_ribs: int) -> list[RibEvidence]:
    return [SHORT] * without + [LONG] * with_ribs


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (evidence([0, 1, 2, 3, 4, 5], SACRUM), 0),
        (evidence([0, 1, 2, 4, 5, 6], SACRUM), 0),
        (evidence([1, 2, 3, 4, 5, 6], SACRUM), None),
        (evidence([-1, 0, 1, 2, 3, 4], SACRUM), None),
        (evidence([0, 1, 2, 3, 4, 5]), None),
        (evidence([2, 3, 4, 5, 6], NO_SACRUM, ribs(3, 2)), 2),
        (evidence([1, 2, 3, 4, 5], NO_SACRUM, ribs(3, 2)), None),
        (evidence([2, 3, 4, 5, 6], NO_SACRUM, ribs(5, 0)), None),
        (evidence([5, 6, 7], NO_SACRUM, ribs(0, 3)), None),
        (evidence([2, 3, 4, 5, 6], NO_SACRUM, [*ribs(3, 0), ONE_SIDE, UNSEEN]), None),
        (evidence([0, 1, 2, 3, 4, 5, 6], SACRUM, ribs(5, 2)), 0),
        (evidence([0, 1, 2, 3, 4, 5, 6], SACRUM, ribs(6, 1)), None),
        (evidence([0, 1, 2, 3, 4, 5, 6], SACRUM, [*ribs(5, 0), WAVERS, LONG]), None),
        (evidence([0, 1, 2, 3, 4, 5, 6], SACRUM, [*ribs(5, 0), ONE_SIDE, LONG]), 0),
        (evidence([0, 1, 2, 3, 4, 5, 6], SACRUM, ribs(4, 3)), None),
        (evidence([0, 1, 3, 4, 5, 6, 7], SACRUM, ribs(6, 1), sure=0.3), None),
    ],
    ids=[
        "sacrum",
        "sacrum, names drift upwards",
        "sacrum, all names one up",
        "sacrum, all names one down",
        "no anchor",
        "ribs",
        "ribs, names one down",
        "no ribs",
        "all with ribs",
        "one rib, on one side",
        "both anchors",
        "sixth lumbar body, or no twelfth ribs",
        "the same, one side unseen",
        "a twelfth rib on one side",
        "lumbar rib",
        "short twelfth rib, names unsure",
    ],
)
def test_position_of_the_lowest_body(known: Evidence, expected: int | None) -> None:
    assert first_position(known) == expected


def test_beyond_a_hole_only_another_anchor_names() -> None:
    said = [0, 1, 3, 4, 5, 6]
    alone = place(evidence(said, SACRUM, hole_above=1))
    assert [run.position for run in alone] == [0, None]
    both = place(evidence(said, SACRUM, ribs(4, 2), hole_above=1))
    assert [run.position for run in both] == [0, 3]
    assert both[1].anchor == "ribs"


def test_anchors_that_leave_no_room_are_both_refused() -> None:
    # Three bodies from the sacrum are L5-L3, the hole is L2: the next cannot be L3.
    known = evidence([0, 1, 2, 2, 3, 4, 5, 6], SACRUM, ribs(6, 2), hole_above=2)
    assert [run.position for run in place(known)] == [None, None]


def test_a_doubtful_sacrum_says_why() -> None:
    known = evidence([0, 1, 2], SacrumFinding(False, "the lowest body may be S1"))
    assert place(known)[0].why == "the lowest body may be S1"


def test_certain_names_give_more_confidence() -> None:
    sure, unsure = (place(evidence([0, 1, 2, 3], SACRUM, sure=s))[0] for s in (0.92, 0.2))
    assert sure.probability > 0.99
    assert unsure.probability < sure.probability
