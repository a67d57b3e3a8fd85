"""Separation: a trained cascade applied to whitened data of any length."""
