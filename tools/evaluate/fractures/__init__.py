"""Fractures: S1's Table 1 of all aggregators, a height-loss rule and readers beside, and strata."""
