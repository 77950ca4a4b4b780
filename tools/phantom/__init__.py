"""The digital spine phantom: patients drawn from published anatomy and physics, and scanned."""
