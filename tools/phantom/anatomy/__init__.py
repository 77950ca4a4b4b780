"""The parts of a patient: how each is drawn from its distribution, and painted."""
