"""A given vertebra label map as the anatomy of a patient: see `docs/given.md`."""
