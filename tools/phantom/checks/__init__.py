"""Checks of the phantom against published numbers and real masks."""
