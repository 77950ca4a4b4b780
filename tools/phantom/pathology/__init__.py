"""Fractures, mimics and implants of the phantom's spine; off unless a recipe asks for them."""
