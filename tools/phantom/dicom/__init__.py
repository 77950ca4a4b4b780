"""Scans of the phantom written as DICOM CT series, as a scanner sends them to an archive.

from tools.phantom.dicom.series import write_series
write_series(folder, case.image, case.affine, examination, encoding)

`geometry` says where each slice lies, `pixels` what is stored in it, `syntaxes` how it is encoded,
`header` what the scanner says of it, `identity` who and which it is; see `../docs/dicom.md`.
"""
