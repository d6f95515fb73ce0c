"""Any CSV or Parquet file as reports, by a mapping file that says which column is which field."""
