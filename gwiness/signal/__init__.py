"""Pure functions on streams: noise models, whitening, time-frequency maps, inner products."""
