"""Files in and out: every layout becomes the same `Item`, read lazily, one slice at a time."""
