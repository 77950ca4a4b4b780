"""Areal density of S4: predictions and references in g/cm², agreement, and osteoporosis by DXA."""
