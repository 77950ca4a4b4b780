"""Pictures coded and decoded with JPEG2000 at 10:1, as S1's archive stored them."""

from __future__ import annotations

import io
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from PIL import Image

#: What is added to HU before coding, and the largest value coded: 12 bits, as scanners store.
OFFSET_HU, MOST_STORED = 1024, 4095


class Jpeg2000(Transform):
    """Code and decode each picture with JPEG2000, as S1's archive did.

    The wavelet is the irreversible 9-7, that of DICOM's lossy syntax. The ratio is that of 16 bits
    a pixel, in which CT is stored, to the file with its header.

    Args:
        ratio: How many times smaller; None leaves pictures as they are.

    Raises:
        ValueError: If the ratio is not above 1.
    """

    def __init__(self, ratio: float | None = 10.0) -> None:
        if ratio is not None and not ratio > 1:
            raise ValueError(f"jpeg_ratio is {ratio}; give more than 1, or null for no compression")
        self.ratio = ratio

    def encode(self, picture: np.ndarray) -> bytes:
        """Code one picture of HU [rows, columns]; values beyond 12 bits are clipped."""
        stored = np.clip(np.rint(picture + OFFSET_HU), 0, MOST_STORED).astype(np.uint16)
        file = io.BytesIO()
        Image.fromarray(stored).save(
            file,
            "JPEG2000",
            quality_mode="rates",
            quality_layers=[self.ratio],
            irreversible=True,
        )
        return file.getvalue()

    @staticmethod
    def decode(content: bytes) -> np.ndarray:
        """Decode one picture to HU, float32 [rows, columns]."""
        return np.asarray(Image.open(io.BytesIO(content))).astype(np.float32) - OFFSET_HU

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Code and decode.

        Args:
            image: HU [1, S, rows, columns].

        Returns:
            The same, float32.
        """
        if self.ratio is None:
            return image
        plain = image.detach().cpu().numpy()[0]
        decoded = np.stack([self.decode(self.encode(picture)) for picture in plain])
        changed = image.clone()
        changed[0] = torch.from_numpy(decoded)
        return changed


class Jpeg2000d(MapTransform):
    """Dictionary form of `Jpeg2000`.

    Args:
        keys: Keys of pictures.
        ratio: How many times smaller; None leaves them as they are.
    """

    def __init__(self, keys: KeysCollection, ratio: float | None = 10.0) -> None:
        super().__init__(keys)
        self.code = Jpeg2000(ratio)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with coded pictures."""
        changed = dict(data)
        for key in self.key_iterator(changed):
            changed[key] = self.code(changed[key])
        return changed
