"""Training with Lightning: data remixed on the fly, losses, runs that resume."""
