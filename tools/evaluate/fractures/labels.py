"""Who has a fracture: from a phantom's truth with all findings, or from a datalist's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tools.evaluate.fractures import findings

if TYPE_CHECKING:
    from tools.evaluate.references import Reference, References


def of_truth(found: References, cases: Mapping[str, Any]) -> References:
    """Add labels and findings to the references of a truth.json.

    Raises:
        ValueError: A case does not say whether it is fractured, or how; one line.
    """
    labelled = []
    for case in found.cases:
        truth = cases[case.case]
        try:
            label, seen = bool(truth["fractured"]), findings.of_truth(truth)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{found.file}: case {case.case} does not say what is fractured "
                f"({type(error).__name__}: {error})"
            ) from error
        labelled.append(replace(case, label=label, findings=seen))
    return replace(found, cases=labelled)


def of_datalist(
    found: References, lists: Mapping[str, Any], truths: Sequence[Reference]
) -> References:
    """Add labels to the references of a datalist; of a phantom's also what its truth says.

    Args:
        found: The references, in the order of the lists' records.
        lists: The datalist's lists.
        truths: References of the truth.json beside it, with labels; empty without one.

    Raises:
        ValueError: A record has no label of 0 or 1, or another than the truth beside it.
    """
    known = {name: truth for truth in truths for name in truth.names}
    places = [(name, n, r) for name, part in lists.items() for n, r in enumerate(part, 1)]
    labelled = []
    for case, (name, number, record) in zip(found.cases, places, strict=True):
        where, label = f"{found.file}: record {number} of {name}", record.get("label")
        if not is_label(label):
            raise ValueError(
                f"{where} has the label {label!r}; 0 or 1 is wanted, as in a datalist of "
                "ovf_classification"
            )
        truth = known.get(case.case)
        if truth is None:
            labelled.append(replace(case, label=bool(label)))
            continue
        if truth.label != bool(label):
            raise ValueError(
                f"{where} has the label {label}, but {truth.label:d} in the truth.json beside it; "
                "keep labels of your own in another folder"
            )
        labelled.append(replace(truth, part=case.part))
    return replace(found, cases=labelled)


def is_label(value: Any) -> bool:
    """Tell whether a record's label is that of a whole scan, 0 or 1.

    >>> [is_label(value) for value in (0, 1, 2, None, "labels/A0001.nii.gz")]
    [True, True, False, False, False]
    """
    return isinstance(value, int) and value in (0, 1)
