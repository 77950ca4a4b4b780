"""Checks a command line before anything runs; `initialize` of every config calls it.

`- {_target_: bmd_bundle.preflight.check, argv: $sys.argv, bundle_root: "@bundle_root"}`
`- {_target_: bmd_bundle.preflight.check_files, argv: $sys.argv, weights_file: "@weights_file"}`
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bmd_bundle import calibration_file as files
from bmd_bundle import in_use, interval
from bmd_bundle.calibration import CalibrationError
from bmd_bundle.common import SettingError, check, parse_command_line, read_weights

__all__ = ["SettingError", "check", "check_files", "check_task"]


def check_files(
    argv: Sequence[str],
    weights_file: str | Path,
    interval_file: str | Path | None = None,
    calibration_file: str | Path | None = None,
    kvp: Any = None,
) -> None:
    """Refuse damaged files, and ones that do not belong together, once instead of at every case.

    Args:
        argv: The command line, `sys.argv`; only one of `monai.bundle run` is judged.
        weights_file: The network's weights.
        interval_file: The interval of its errors.
        calibration_file: A scanner's or a site's calibration.
        kvp: Tube voltage of all scans, kV; None for what each says.

    Raises:
        SystemExit: One line that names the file and the mend; status 1.
    """
    if not parse_command_line(argv)[1].keys() & {"config_file", "args_file"}:
        return
    try:
        if kvp is not None and (isinstance(kvp, bool) or not isinstance(kvp, int | float)):
            raise SettingError(f"kvp: {kvp!r} is no tube voltage; give a number of kV, as 120")
        read_weights(weights_file)
        checksum = hashlib.sha256(Path(weights_file).read_bytes()).hexdigest()
        in_use.check_weights(files.given(calibration_file or None), checksum)
        if interval_file:
            interval.load(interval_file, checksum)
    except (SettingError, CalibrationError) as error:
        raise SystemExit(f"error: {error}") from None


def check_task(argv: Sequence[str], task: str, described: Any) -> None:
    """Refuse overlays in an order in which one thing is learnt and another one told.

    `evaluate.yaml` behind an overlay that swaps the task takes that overlay's steps back, and would
    scale a probability to mg/cm³.

    Args:
        argv: The command line, `sys.argv`.
        task: What the network says.
        described: The step that puts it in words; its `task` is what it takes it for.

    Raises:
        SystemExit: They differ, on the command line; one line, status 1.
        SettingError: They differ, in another program.
    """
    if task == described.task:
        return
    line = (
        f"config_file: the network says {task!r} and would be read as {described.task!r}; name "
        "evaluate.yaml before the overlay of the task"
    )
    if parse_command_line(argv)[1].keys() & {"config_file", "args_file"}:
        raise SystemExit(f"error: {line}")
    raise SettingError(line)
