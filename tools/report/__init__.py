"""What `screen` hands over: report.json's schema, plain words, pictures, HTML page, table rows."""
