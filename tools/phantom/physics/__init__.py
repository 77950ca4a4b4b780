"""Matter and rays: materials, beam, HU, QCT calibration."""
