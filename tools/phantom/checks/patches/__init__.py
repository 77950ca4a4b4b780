"""A test bench of patches: what every method of reading density needs, of thousands of patients.

    python -m tools.phantom.checks.patches scratch/bench --scanner A,B,C --patients 1000 \
        --recipe scanners --workers 2 --paired

Patients are drawn in the field `bodies`, read with the true masks and thrown away: some 70 kB are
kept of each (`reading`), in blocks (`store`). So scanners can be compared on as many patients as an
equivalence asks for, without the errors of segmentation. `store.load(folder)` gives the arrays.
"""
