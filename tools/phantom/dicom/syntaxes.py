"""How a slice's numbers are encoded: the transfer syntaxes that a series can be written in.

Only what the pinned libraries encode is here: pydicom the plain ones and RLE, GDCM (in ITK)
lossless JPEG 2000 and lossless JPEG.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import itk
import numpy as np
import pydicom
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.encoders import RLELosslessEncoder


@dataclass(frozen=True)
class Syntax:
    """One transfer syntax.

    Attributes:
        uid: Its UID.
        compress: Turns the numbers of a slice, [rows, columns], into one encoded frame; None for
            syntaxes that store them as they are.
        whole_words: Whether the encoder uses all 16 bits.
    """

    uid: uid.UID
    compress: Callable[[np.ndarray], bytes] | None = None
    whole_words: bool = False

    def encode(self, numbers: np.ndarray) -> bytes:
        """Return the value of Pixel Data for the numbers of a slice, [rows, columns], 16 bits."""
        if self.compress is not None:
            return bytes(encapsulate([self.compress(numbers)]))
        return numbers.astype(numbers.dtype.newbyteorder("<" if self.little else ">")).tobytes()

    @property
    def little(self) -> bool:
        """Whether the lower byte comes first."""
        return bool(self.uid.is_little_endian)


def _run_lengths(numbers: np.ndarray) -> bytes:
    """Encode with run lengths (RLE, PS3.5 annex G)."""
    rows, columns = numbers.shape
    return RLELosslessEncoder.encode(
        np.ascontiguousarray(numbers),
        rows=rows,
        columns=columns,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=16,
        pixel_representation=int(numbers.dtype == np.int16),
        number_of_frames=1,
    )


def _with_gdcm(kind: int, numbers: np.ndarray) -> bytes:
    """Encode with GDCM, which gives frames only inside files.

    Raises:
        OSError: If the temporary file cannot be written.
    """
    writer = itk.GDCMImageIO.New()
    writer.SetCompressionType(kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slice.dcm"
        image = itk.image_from_array(np.ascontiguousarray(numbers)[None])
        try:
            itk.imwrite(image, str(path), compression=True, imageio=writer)
        except RuntimeError as error:  # ITK's for anything, a full disk too
            raise OSError(errno.EIO, "a slice cannot be compressed", folder) from error
        return next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1))


def _jpeg_2000(numbers: np.ndarray) -> bytes:
    return _with_gdcm(itk.GDCMImageIOEnums.Compression_JPEG2000, numbers)


def _jpeg_lossless(numbers: np.ndarray) -> bytes:
    return _with_gdcm(itk.GDCMImageIOEnums.Compression_JPEG, numbers)


SYNTAXES: Mapping[str, Syntax] = MappingProxyType(
    {
        "explicit_little": Syntax(uid.ExplicitVRLittleEndian),
        "implicit_little": Syntax(uid.ImplicitVRLittleEndian),
        "explicit_big": Syntax(uid.ExplicitVRBigEndian),
        "rle": Syntax(uid.RLELossless, _run_lengths),
        "jpeg_2000": Syntax(uid.JPEG2000Lossless, _jpeg_2000, whole_words=True),
        "jpeg_lossless": Syntax(uid.JPEGLosslessSV1, _jpeg_lossless, whole_words=True),
    }
)
"""Transfer syntaxes by the names that a recipe gives them."""
