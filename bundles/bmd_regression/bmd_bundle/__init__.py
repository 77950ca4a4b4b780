"""Code of the bundle `bmd_regression`; configs name it through `_target_` only."""
