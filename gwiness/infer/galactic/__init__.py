"""Galactic binaries: how many are in a band of frequencies, and the posterior of each."""
