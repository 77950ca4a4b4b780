"""A datalist's records become scans to train on, or one line says which record is unusable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lumbar_bundle.common import SettingError, datalist_records, refuse_lists


def check(datalist: str, keys: Sequence[str], argv: Sequence[str] | None = None) -> None:
    """Refuse a datalist that cannot be trained on before anything is read.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        keys: Names of the lists that will be read.
        argv: The command line, `sys.argv`; only one of `monai.bundle run` is judged. Other programs
            meet a bad record when they read it.

    Raises:
        SystemExit: One line that names the file, the record, and the mend; status 1.
    """
    refuse_lists(partial(labelled_scans, datalist), keys, argv)


def labelled_scans(datalist: str, key: str) -> list[dict[str, Any]]:
    """Read the scans of one list.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "training".

    Returns:
        Its records; `image` and `label` are paths of files that exist.

    Raises:
        SettingError: The list is none, empty, or has a record that lacks one of the two.
    """
    records = datalist_records(datalist, key)
    if not records:
        raise SettingError(f"{datalist}: the list '{key}' is empty; give it scans")
    for n, record in enumerate(records):
        for name in ("image", "label"):
            path = record.get(name)
            if not isinstance(path, str) or not path:
                raise SettingError(f'{datalist}: {key} {n} needs "{name}", the path of a file')
            if not Path(path).exists():
                raise SettingError(f"{datalist}: {key} {n}: {path} does not exist")
    return records
