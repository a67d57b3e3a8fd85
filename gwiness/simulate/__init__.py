"""Simulated data: waveforms of the community's libraries, noise, populations, mixtures, files."""
