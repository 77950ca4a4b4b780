"""What the processes of one distributed run share out; see `bmd_bundle.common`."""

from bmd_bundle.common import handlers_of_rank

__all__ = ["handlers_of_rank"]
