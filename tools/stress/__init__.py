"""Finished bundles under stress: real CTs changed on purpose, phantoms cut short, and negatives."""
