"""Code of the bundle `ovf_classification`; configs name it through `_target_` only."""
