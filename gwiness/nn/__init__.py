"""Networks: torch in, torch out. No files, no units, no configuration objects."""
