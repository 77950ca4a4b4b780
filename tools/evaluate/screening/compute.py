"""S3's table: how well reduced density is told, and how far densities are off."""

from __future__ import annotations

from collections.abc import Sequence

from tools import bundles
from tools.evaluate.bothways import both_ways
from tools.evaluate.numbers import Number, Numbers
from tools.evaluate.published import CATEGORIES
from tools.evaluate.screening.panel import CLASSIFIER, Panel, Seen, probability
from tools.statistics import errors, mean_auc, share

TABLE = "screening"

ALL_FOLDS = "all folds"
"""Level of what joins the folds; a fold's own is "fold 1" and so on."""

REDUCED = CATEGORIES[:2]
"""Categories that are reduced density."""

_screening = bundles.module("bmd_regression", "bmd_bundle.screening")


def compute(numbers: Numbers, panel: Panel, seed: int) -> None:
    """Compute S3's table.

    Args:
        numbers: Where it is put: scanner is the part, level the fold.
        panel: The scans.
        seed: Seed of all resampling.
    """
    for method in panel.methods:
        for group, scans in panel.groups(method).items():
            numbers.put(TABLE, group, method, ALL_FOLDS, rated(scans, method, seed))
            for fold in panel.folds:
                own = [seen for seen in scans if seen.fold == fold]
                if own:
                    numbers.put(TABLE, group, method, f"fold {fold}", rated(own, method, seed))


def rated(scans: Sequence[Seen], method: str, seed: int) -> dict[str, Number]:
    """Rate a method on scans whose reference has a category.

    Returns:
        `measured`, the share of scans with a call; the rates of `both_ways` for reduced density;
        `auc`, the mean over the folds; of a method that reads density `mae` and `rmse` of the
        patients' means, mg/cm³ HA.
    """
    known = [(seen, own) for seen in scans if (own := seen.case.true_category()) is not None]
    has = [name in REDUCED for _, name in known]
    said = [_said(seen, method) for seen, _ in known]
    owners = [seen.case.patient for seen, _ in known]
    judged = [(place, own) for place, own in enumerate(said) if own is not None]
    found: dict[str, Number] = {
        "measured": share([own is not None for own in said], owners),
        **both_ways(has, [None if own is None else own[0] for own in said], owners, seed),
        "auc": mean_auc(
            [score for _, (_, score) in judged],
            [has[place] for place, _ in judged],
            [known[place][0].fold for place, _ in judged],
            [owners[place] for place, _ in judged],
            seed,
        ),
    }
    if method != CLASSIFIER:
        pairs = [(pair, seen.case.patient) for seen in scans if (pair := seen.case.mean(method))]
        true, read = [pair.true for pair, _ in pairs], [pair.read for pair, _ in pairs]
        found |= errors(true, read, [who for _, who in pairs], seed)
    return found


def _said(seen: Seen, method: str) -> tuple[bool, float] | None:
    """Whether a method calls a patient's density reduced, and the score; None without a call."""
    if method == CLASSIFIER:
        score, levels = probability(seen.case)
        call = _screening.called(score, levels)
        return None if call is None else (call == _screening.CALLED_REDUCED, float(score or 0.0))
    category, pair = seen.case.read_category(method), seen.case.mean(method)
    return None if category is None or pair is None else (category in REDUCED, -pair.read)
