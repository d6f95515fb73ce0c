"""One pair by every method of `detectors`, from the cases of a run."""
