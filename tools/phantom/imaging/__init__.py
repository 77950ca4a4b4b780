"""The simulated scanner: protocols, sharpness, slice profile, noise."""
