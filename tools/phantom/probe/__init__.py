"""Transfer probe: does what a network learns from the phantom hold on a real scan?"""

import os

# Threads that wait for others sleep instead of spinning. OpenMP reads this when torch is loaded, so
# it stands here. Alone on the machine it changes nothing; beside other programs a training step
# takes a seventh of the time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
