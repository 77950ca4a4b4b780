"""What inference leaves behind: `<case>_bmd.json`, whole or not at all."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import SaveImaged

from bmd_bundle.common import (
    DONE,
    MEASURED,
    REFUSED,
    SCHEMA,
    UNNAMED,
    FailureFiles,
    plain,
    write_json,
)
from bmd_bundle.measuring import known_kvp

__all__ = ["BMD_ENDING", "FailureFiles", "SaveImageBmdd"]

#: Ending of the file of a case.
BMD_ENDING = "_bmd.json"


class SaveImageBmdd(SaveImaged):
    """Write the densities of one case.

    It is a `SaveImaged`, and says so, because MONAI Label and MONAI Deploy leave those out.

    Args:
        keys: Key of the network's densities; only named, since the levels hold them.
        output_dir: Where to write; made if missing.
        levels_key: Key of the levels.
        case_key: Key of the case's name.
        kind_key: Key of "nifti" or "dicom".
        more: Keys of further blocks, written behind the levels under their own names.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        output_dir: str | Path = ".",
        levels_key: str = "levels",
        case_key: str = "case",
        kind_key: str = "kind",
        more: Sequence[str] = (),
    ) -> None:
        super().__init__(keys, output_dir=output_dir, output_postfix="bmd")
        self.output_dir = Path(output_dir)
        self.levels_key, self.case_key, self.kind_key = levels_key, case_key, kind_key
        self.more = tuple(more)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the file; the data are returned unchanged."""
        name = str(data.get(self.case_key, UNNAMED))
        write_json(self.output_dir / f"{name}{BMD_ENDING}", plain(self.content(name, data)))
        return dict(data)

    def content(self, name: str, data: Mapping[Hashable, Any]) -> dict[str, Any]:
        """What the file of a case holds."""
        levels = data[self.levels_key]
        found = any(level["status"] == MEASURED for level in levels.values())
        return {
            "schema": SCHEMA,
            "case": name,
            "status": DONE if found else REFUSED,
            "reason": None,
            "input": {
                "kind": str(data.get(self.kind_key, "nifti")),
                "kvp": known_kvp(data.get("kvp")),
            },
            "levels": levels,
            **{key: data[key] for key in self.more},
        }
