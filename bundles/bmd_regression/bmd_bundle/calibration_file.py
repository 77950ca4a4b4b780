"""Calibration files: a scanner's line from a test object, or a site's correction from its pairs.

    found = calibration_file.load("calibration.json")
    calibration_file.dump(found)

Both are one JSON object. `kind` says which; without it `slope_hu_per_mg_cm3` marks a scanner's line
and `slope` a site's correction. What no calibration could hold is refused in one line.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from bmd_bundle.calibration import KVP_RANGE, Calibration, CalibrationError, reference
from bmd_bundle.site import Correction

Given = Calibration | Correction

#: Kind in the file -> what it becomes.
KINDS: Mapping[str, type[Given]] = {"scanner": Calibration, "site": Correction}
#: Slope of a scanner's line over that of the reference at its voltage. Eight scanners spread by
#: 9.2 % (Skornitzke 2022); this is five times as much. A line of mg/cm³ per HU falls outside.
SLOPE_RATIO = (2 / 3, 3 / 2)
#: HU of bone without mineral on a scanner that passes its daily check of water, ±4 HU, with room
#: for marrow's and plastics' own HU (design).
MOST_INTERCEPT_HU = 50.0
#: Largest relative spread of a scanner's line (design): beyond it nothing is calibrated.
MOST_SPREAD = 0.5


def load(path: str | Path) -> Given:
    """Read a calibration of either kind.

    Args:
        path: JSON file.

    Raises:
        CalibrationError: If it cannot be read or is no calibration; one line that names the file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise CalibrationError(f"{path}: cannot be read ({reason}); check the path") from error
    return loads(text, str(path))


def given(value: str | Path | Given | None) -> Given | None:
    """Return a calibration that is given as a file, or as what was read from one.

    Args:
        value: JSON file, calibration of either kind, or None for none.

    Raises:
        CalibrationError: If the file is no calibration; one line.
    """
    return load(value) if isinstance(value, str | Path) else value


def loads(text: str, name: str = "calibration") -> Given:
    """Read a calibration of either kind from the text of its file.

    Args:
        text: JSON.
        name: What errors call it.

    Raises:
        CalibrationError: If it is no calibration; one line.
    """
    try:
        content = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except ValueError as error:
        raise CalibrationError(
            f"{name}: cannot be read as JSON ({error}); write it with `tools recalibrate` or "
            "`tools calibrate`"
        ) from error
    if not isinstance(content, dict):
        raise CalibrationError(f"{name}: holds no JSON object; a calibration is one")
    try:
        return _read(content)
    except CalibrationError as error:
        raise CalibrationError(f"{name}: {error}") from error


def dump(calibration: Given) -> str:
    """Write a calibration as the JSON that `load` reads."""
    kind = next(kind for kind, made in KINDS.items() if isinstance(calibration, made))
    return json.dumps({"kind": kind, **asdict(calibration)}, indent=2, ensure_ascii=False) + "\n"


def _read(content: dict[str, Any]) -> Given:
    """Make of a JSON object what it says it is."""
    content = dict(content)
    usual = "scanner" if "slope_hu_per_mg_cm3" in content else "site"
    kind = content.pop("kind", usual)
    if not isinstance(kind, str) or kind not in KINDS:
        raise CalibrationError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    made = KINDS[kind]
    known = {field.name: field for field in fields(made)}
    for key in content:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it knows {', '.join(known)}"
            raise CalibrationError(f"unknown key {key!r} in a calibration of kind {kind}{hint}")
    values = {"scanner": None, **content}
    if kind == "site":  # the least that such a file holds: slope, intercept, mineral, n, kvp, sha
        values.setdefault("id", "site")
        values.setdefault("reading", "cnn" if values.get("weights_sha256") else "hu_linear")
    missing = [
        key for key, field in known.items() if field.default is MISSING and key not in values
    ]
    if missing:
        raise CalibrationError(f"lacks {', '.join(missing)} of a calibration of kind {kind}")
    hints = typing.get_type_hints(made)
    for key, value in values.items():
        values[key] = _checked(key, value, hints[key])
    found = made(**values)
    _plausible(found)
    return found


def _checked(key: str, value: Any, kind: Any) -> Any:
    """A value of the type that the field names.

    Raises:
        CalibrationError: If it is another.
    """
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and type(None) in kinds:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if float in kinds and number:
        return float(value)
    if int in kinds and number and float(value).is_integer():
        return int(value)
    if str in kinds and isinstance(value, str) and value.strip():
        return value
    pair = next((one for one in kinds if typing.get_origin(one) is tuple), None)
    if pair and isinstance(value, list) and len(value) == len(typing.get_args(pair)):
        return tuple(_checked(key, item, float) for item in value)
    words = {float: "a number", int: "a whole number", str: "a text"}
    wanted = next((words[one] for one in kinds if one in words), "two numbers")
    raise CalibrationError(f"{key} is {value!r}, not {wanted}")


def _plausible(found: Given) -> None:
    """Refuse what is a calibration by its form but can be none of a CT.

    Raises:
        CalibrationError: If it is.
    """
    low, high = KVP_RANGE
    if not low <= found.kvp <= high:
        raise CalibrationError(f"kvp {found.kvp:g} lies outside {low:g} to {high:g} kV")
    if isinstance(found, Correction):
        if found.range_mg_cm3 is not None and found.range_mg_cm3[0] > found.range_mg_cm3[1]:
            raise CalibrationError("range_mg_cm3 is the lowest and the highest reading")
        return
    line, usual = found.as_ha(), reference(found.kvp).slope_hu_per_mg_cm3
    least, most = (usual * ratio for ratio in SLOPE_RATIO)
    if not least <= line.slope_hu_per_mg_cm3 <= most:
        raise CalibrationError(
            f"slope {found.slope_hu_per_mg_cm3:g} HU per mg/cm³ {found.mineral} cannot be right at "
            f"{found.kvp:g} kV, where HA has {least:.2f} to {most:.2f}; is it mg/cm³ per HU?"
        )
    if abs(found.intercept_hu) > MOST_INTERCEPT_HU:
        raise CalibrationError(
            f"intercept_hu {found.intercept_hu:g} is more than {MOST_INTERCEPT_HU:g} HU from 0; "
            "water must read about 0"
        )
    if found.water_sd_hu > MOST_INTERCEPT_HU:
        raise CalibrationError(f"water_sd_hu {found.water_sd_hu:g} is above {MOST_INTERCEPT_HU:g}")
    if found.spread > MOST_SPREAD:
        raise CalibrationError(f"spread {found.spread:g} is above {MOST_SPREAD:g}, a relative SD")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keys of a JSON object, each once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return found
