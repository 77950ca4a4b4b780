"""What the processes of one distributed run share out; see `lumbar_bundle.common`."""

from lumbar_bundle.common import handlers_of_rank

__all__ = ["handlers_of_rank"]
