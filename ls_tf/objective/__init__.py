"""What is minimised: the formulas, and how a run's loss is put together."""
