"""What inference leaves behind: `<case>_ovf.json`, whole or not at all."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import SaveImaged

from ovf_bundle.common import (
    DONE,
    MEASURED,
    REFUSED,
    SCHEMA,
    UNNAMED,
    FailureFiles,
    plain,
    write_json,
)

__all__ = ["OVF_ENDING", "FailureFiles", "SaveImageOvfd"]

#: Ending of the file of a case.
OVF_ENDING = "_ovf.json"


class SaveImageOvfd(SaveImaged):
    """Write what was said of one CT.

    It is a `SaveImaged`, and says so, because MONAI Label and MONAI Deploy leave those out.

    Args:
        keys: Key of the network's probabilities; only named, since the block holds them.
        output_dir: Where to write; made if missing.
        ovf_key: Key of the block that `DescribeFractured` made.
        facts_key: Key of what `SagittalSlicesd` says of the slices.
        case_key: Key of the case's name.
        kind_key: Key of "nifti" or "dicom".
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        output_dir: str | Path = ".",
        ovf_key: str = "ovf",
        facts_key: str = "facts",
        case_key: str = "case",
        kind_key: str = "kind",
    ) -> None:
        super().__init__(keys, output_dir=output_dir, output_postfix="ovf")
        self.output_dir = Path(output_dir)
        self.ovf_key, self.facts_key = ovf_key, facts_key
        self.case_key, self.kind_key = case_key, kind_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the file; the data are returned unchanged."""
        name = str(data.get(self.case_key, UNNAMED))
        ovf, facts = data[self.ovf_key], data[self.facts_key]
        content = {
            "schema": SCHEMA,
            "case": name,
            "status": DONE if ovf["status"] == MEASURED else REFUSED,
            "reason": None,
            "input": {
                "kind": str(data.get(self.kind_key, "nifti")),
                "shape": facts["shape"],
                "spacing_mm": facts["spacing_mm"],
                "sagittal_reformat": bool(facts["reformat"]),
                "parts": int(facts["parts"]),
                "slice_mm": float(facts["slice_mm"]),
            },
            "ovf": ovf,
        }
        write_json(self.output_dir / f"{name}{OVF_ENDING}", plain(content))
        return dict(data)
