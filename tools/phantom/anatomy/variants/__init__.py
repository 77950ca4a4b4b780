"""Variants of the spine that are no fractures: transitional anatomy, scoliosis, degeneration."""
