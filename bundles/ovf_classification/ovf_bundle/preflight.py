"""Checks a command line before anything runs; `initialize` of every config calls it.

`- {_target_: ovf_bundle.preflight.check, argv: $sys.argv, bundle_root: "@bundle_root"}`
"""

from ovf_bundle.common import SettingError, check

__all__ = ["SettingError", "check"]
