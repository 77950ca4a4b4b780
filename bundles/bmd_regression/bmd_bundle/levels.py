"""Levels that the bundle measures, and their ids in label maps."""

#: Ids of label maps: L1 to L4.
LEVEL_IDS = {"L1": 1, "L2": 2, "L3": 3, "L4": 4}
