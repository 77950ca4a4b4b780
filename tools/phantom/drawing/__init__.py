"""Painting on voxel grids: canvas, signed distances, textures."""
