"""``run_experiment.py`` with the fault, or the signal, of its environment."""

import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

import file_faults  # noqa: E402
import own_signal  # noqa: E402

from ls_tf.cli import run  # noqa: E402


def main():
    """Installs what the environment says, and runs."""
    fault = os.environ.pop("LS_TF_FAULT", "")
    if fault:
        file_faults.install(file_faults.Fault(**json.loads(fault)))
    sent = os.environ.pop("LS_TF_SIGNAL", "")
    if sent:
        own_signal.install(own_signal.Signal(**json.loads(sent)))
    run()


if __name__ == "__main__":
    main()
