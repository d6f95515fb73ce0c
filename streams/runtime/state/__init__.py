"""State on disk: the case store, its changelog, snapshots of the detector."""
