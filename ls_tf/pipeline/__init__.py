"""From files to batches: reading, checking, caching, augmenting, planning."""
