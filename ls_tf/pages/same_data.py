"""Refuses to compare runs whose data have one name and are not the same.

A run is named by its specification, which names its data and not their bytes:
another copy of CIFAR-10, or a file of the user's own that was written anew,
gives other numbers under the same name.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ls_tf.pages.blocks import ReportError
from ls_tf.records.runs import Record
from ls_tf.spec import DataSpec, as_dict
from ls_tf.spec.values import default_of

_DEFAULTS = {
    f.name: as_dict(default_of(f)) for f in dataclasses.fields(DataSpec)
}


def _named(run: Mapping[str, Any]) -> str:
    """What a run says of its data: runs that say the same had the same.

    Fields at their default are left out, as in a run's digest: records from
    before there was a field say the same as those of today.
    """
    data = run["spec"]["data"]
    said = {k: v for k, v in data.items() if v != _DEFAULTS.get(k)}
    # Wrong labels and the examples of a long tail are drawn by the run's seed.
    if said.keys() & {"label_kept", "label_transition", "tail_power"}:
        said["seed"] = run["seed"]
    return json.dumps(said, sort_keys=True)


def refuse_other(records: Iterable[Record]) -> None:
    """Refuses records whose data are called the same and had other bytes.

    Args:
        records: of one page, or of one row; from before they had SHA-256 of
            their data they are believed.

    Raises:
        ReportError: one line that names two of them.

    Source: ours.
    """
    first: dict[tuple[str, str], tuple[str, Record]] = {}
    for record in records:
        named = _named(record.run)
        for split, used in record.run.get("data", {}).items():
            found = used.get("sha256")
            if not found:
                continue
            before, other = first.setdefault((named, split), (found, record))
            if found != before:
                raise ReportError(
                    f"wanted runs on the same data, got {other.path} and "
                    f"{record.path}: {record.run['spec']['data']['name']} "
                    f"{split} had the SHA-256 {before[:12]} in the one and "
                    f"{found[:12]} in the other; move one of them away"
                )
