"""``faulty_program.py`` with ``gs://`` in the folder of its environment."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import faulty_program  # noqa: E402
import mapped_bucket  # noqa: E402

if __name__ == "__main__":
    folder = os.environ.pop("LS_TF_BUCKET")
    mapped_bucket.install(mapped_bucket.Mapped(folder))
    faulty_program.main()
