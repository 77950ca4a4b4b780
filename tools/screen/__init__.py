"""`python -m tools screen`: from a CT to bone density per level, with a report for each case."""
