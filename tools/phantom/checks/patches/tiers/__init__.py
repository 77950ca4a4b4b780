"""The density bundle on a bench of patches: what is read while more is known of the scanner.

    python -m tools.phantom.checks.patches scratch/bench --scanner A,B,C --patients 1000
    python -m tools.phantom.checks.patches.tiers scratch/bench scratch/tiers

Three readings (the network, the network with internal calibration, HU-linear) in three tiers:

- T0, blind: of the scanner nothing but the tube voltage is known; the reference beam's line.
- T1, test object: one scan of the ESP-like object with its large ring on that scanner gives the
  line, as `python -m tools calibrate` fits it; the network's patches go through it as well.
- T2, pairs: as T0, and each reading is corrected by what `python -m tools recalibrate` fits to some
  patients with QCT; scored on the others alone, for one draw of these patients in the tables and
  for `--pair_draws` of them in the notes.

Beside T0 stands what blind readings compete with: the HU-linear line of scanner A's patients.

Masks are the true ones and patients digital: phantom results, without errors of segmentation.
Writes OUT/tiers.json, OUT/tiers.csv (every number with its interval) and OUT/tiers.md.
"""
