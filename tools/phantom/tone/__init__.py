"""Texture and tone: grey values, noise and edges of the phantom beside those of real CTs."""
