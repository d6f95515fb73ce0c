"""Reports in JSON documents: openFDA downloads, arrays of native reports, FHIR."""
