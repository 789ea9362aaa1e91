"""Training: batches, the loop, checkpoints."""
