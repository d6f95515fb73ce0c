"""ICH E2B messages, releases 2 and 3: reports in XML, single or in batches, and their ACK."""
