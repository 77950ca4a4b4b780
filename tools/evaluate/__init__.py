"""From predictions and references to the studies' tables: see `README.md`."""
