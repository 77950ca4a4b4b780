"""A case becomes one volume in HU, or one line that says why not; see `lumbar_bundle.common`."""

from lumbar_bundle.common import CheckCT, CheckCTd, LoadImageCT, LoadImageCTd

__all__ = ["CheckCT", "CheckCTd", "LoadImageCT", "LoadImageCTd"]
