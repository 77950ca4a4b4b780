"""What the processes of one distributed run share out; see `ovf_bundle.common`."""

from ovf_bundle.common import handlers_of_rank

__all__ = ["handlers_of_rank"]
