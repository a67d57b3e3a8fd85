"""From an item to its posterior: propose (network), refine (exact likelihood), weight."""
