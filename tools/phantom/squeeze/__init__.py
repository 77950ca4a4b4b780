"""One vertebral body of a CT made lower by a known share, on the CT's own texture."""

from tools.phantom.squeeze.command import Squeezed, squeeze, squeeze_softly

__all__ = ["Squeezed", "squeeze", "squeeze_softly"]
