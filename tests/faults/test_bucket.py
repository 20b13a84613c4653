"""A run in a bucket, killed and given again: that of a local folder."""

import dataclasses
import json
from pathlib import Path

import programs
import pytest
from file_faults import Fault
from harness import ENGINES, WORK, FaultyLine, differences

PROGRAM = Path(__file__).parent / "bucket_program.py"


class Bucket:
    """The command line with its records in ``gs://bucket``."""

    def __init__(self, line):
        self._line = line
        self.folder = line.folder / "cloud"
        self.runs = self.folder / "bucket" / "runs"
        self.runs.parent.mkdir(parents=True)

    def __call__(self, *flags, fault=None):
        environment = {"LS_TF_BUCKET": str(self.folder)}
        if fault is not None:
            given = dataclasses.replace(fault, root=str(self.folder))
            environment["LS_TF_FAULT"] = json.dumps(dataclasses.asdict(given))
        process = programs.start(
            PROGRAM,
            "--runs_dir=gs://bucket/runs",
            *flags,
            engine="jax" if "--engine=jax" in flags else "tensorflow",
            env=self._line.environment(**environment),
            cwd=self._line.folder,
        )
        try:
            process.wait(300)
        finally:
            process.send_signal(9)
        out, err = process.communicate()
        return process.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_in_a_bucket_is_killed_and_goes_on(line, engine):
    flags = (*WORK["classification"], f"--engine={engine}")
    whole = FaultyLine(line.folder / "whole")
    code, _, err = whole.ended(*flags)
    assert code == 0, err
    bucket, log = Bucket(line), line.folder / "operations"
    code, out, err = bucket(*flags, fault=Fault("", log=str(log)))
    assert code == 0, err
    assert out.startswith("gs://bucket/runs/fc_digits/")
    assert differences(bucket.runs, whole.runs) == []
    operations = len(log.read_text().splitlines())
    bucket.runs.rename(line.folder / "unbroken")
    # In the middle of the run, and of what the resumed run does.
    for at in (operations // 2, operations // 4):
        code, _, err = bucket(*flags, fault=Fault("", kind="kill", at=at))
        assert code == -9, err
    code, _, err = bucket(*flags)
    assert code == 0, err
    assert differences(bucket.runs, whole.runs) == []
    # Nothing has gone around the file system.
    assert not (line.folder / "gs:").exists()
