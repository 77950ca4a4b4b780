"""OVF classification: sagittal slices of a CT, their aggregation, and where the evidence lies."""
