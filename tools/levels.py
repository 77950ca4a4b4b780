"""The one vocabulary of vertebral levels and its maps to other label systems.

Ids are those of every label map this project reads or writes: 1-4 are the measured levels L1-L4,
the rest are the neighbours that naming needs. Bodies only, except the sacrum.
"""

from __future__ import annotations

from types import MappingProxyType

#: Levels whose bone mineral density is reported (S2), head to foot.
MEASURED_LEVELS: tuple[str, ...] = ("L1", "L2", "L3", "L4")

#: Level name -> id in label maps.
LABEL_IDS = MappingProxyType(
    {
        "L1": 1,
        "L2": 2,
        "L3": 3,
        "L4": 4,
        "L5": 5,
        "sacrum": 6,
        "T12": 7,
        "T11": 8,
        "T10": 9,
        "L6": 10,
        "T9": 11,
        "T8": 12,
        "T7": 13,
        "T6": 14,
        "T5": 15,
        "T4": 16,
    }
)

#: Id in label maps -> level name.
LEVEL_NAMES = MappingProxyType({label: level for level, label in LABEL_IDS.items()})

#: Every level of a normal spine this project knows, head to foot.
HEAD_TO_FOOT: tuple[str, ...] = (
    *(f"T{number}" for number in range(4, 13)),
    *(f"L{number}" for number in range(1, 7)),
    "sacrum",
)

#: VerSe ids (Sekuboyina 2021, `seg-vert_msk`): T1-T12 = 8-19, L1-L6 = 20-25.
VERSE_IDS = MappingProxyType(
    {f"T{number}": 7 + number for number in range(4, 13)}
    | {f"L{number}": 19 + number for number in range(1, 7)}
    | {"sacrum": 26}
)

#: TotalSegmentator v2 merged ids of whole vertebrae (Wasserthal 2023); its sacrum is 25.
TOTALSEGMENTATOR_IDS = MappingProxyType(
    {f"L{number}": 32 - number for number in range(1, 6)}
    | {f"T{number}": 44 - number for number in range(4, 13)}
    | {"sacrum": 25}
)

#: TotalSegmentator ids of the vertebral-body task: 19 = T12, 20-24 = L1-L5.
TOTALSEGMENTATOR_BODY_IDS = MappingProxyType(
    {"T12": 19} | {f"L{number}": 19 + number for number in range(1, 6)}
)

#: SNOMED CT codes of the vertebrae written to DICOM objects.
SNOMED_CODES = MappingProxyType(
    {
        "T12": "23215003",
        "L1": "66794005",
        "L2": "14293000",
        "L3": "36470004",
        "L4": "11994002",
        "L5": "49668003",
    }
)
