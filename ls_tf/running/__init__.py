"""From the command line to a finished record: devices, teachers, sweeps."""
