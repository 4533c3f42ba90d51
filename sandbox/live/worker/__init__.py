"""Worker: folds, scores, decides, everything once."""
