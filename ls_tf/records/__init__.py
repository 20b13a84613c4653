"""Records of runs: their files, their locks, and what they hold."""
