"""Calibration of a scanner from a test object, and of a site from its pairs."""
