"""How a run is carried out: loop, engines, checkpoints, summaries."""
