"""The chest above the diaphragm, drawn only in the fields that show it."""
