"""Transfer probe: does what a network learns from the phantom hold on a real scan?"""
