"""Speed and memory of `screen` beside a reference network, measured in one run."""
