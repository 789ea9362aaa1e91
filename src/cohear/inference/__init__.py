"""Inference: trained classifiers on recordings of any length."""
