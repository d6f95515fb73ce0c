"""State on disk: the store of cases, its changelog, snapshots of the detector."""
