"""Trainer: versions of the model, from training to rollback."""
