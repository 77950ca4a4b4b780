"""Test objects with known density: an ESP-like spine phantom and a rod calibration phantom."""
