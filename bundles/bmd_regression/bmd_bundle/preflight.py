"""Checks a command line before anything runs; `initialize` of every config calls it.

`- {_target_: bmd_bundle.preflight.check, argv: $sys.argv, bundle_root: "@bundle_root"}`
"""

from bmd_bundle.common import SettingError, check

__all__ = ["SettingError", "check"]
