"""Code of the bundle `lumbar_segmentation`; configs name it through `_target_` only."""
