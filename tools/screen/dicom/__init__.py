"""What `screen` writes for an archive: a segmentation (SEG) and a measurement report (SR).

Imported for DICOM input only.
"""
