"""Study S3's table: screening for reduced density, of who was learnt from, left out, and others."""
