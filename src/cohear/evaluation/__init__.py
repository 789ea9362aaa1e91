"""Evaluation: what a network says of fixed views of clips, and how good that is."""
