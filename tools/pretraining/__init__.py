"""Weights made without a patient: phantoms, the bundle's own training, half precision."""
