"""GWINESS: see a mixture of overlapping LISA sources come apart, and trust each posterior.

Every TDI stream is whitened once, in one place (`gwiness.signal.whiten`), and from there on
noise is unit-variance white noise; so the network's input, the SNR, the match, the NSDR and
the likelihood are all the same sum of squares.
"""

__version__ = "0.1.6"
