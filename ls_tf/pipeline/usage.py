"""What is used of the data, and what is left out of it, and why."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ls_tf.pipeline.contract import DataError, DatasetInfo
from ls_tf.records import arrays as arrays_of_files
from ls_tf.records.files import RunError
from ls_tf.spec.values import shown

# Fields of what a run was begun on, and what messages call them.
_DIGESTS = {
    "sha256": "SHA-256",
    "sampled_sha256": "SHA-256 of its sampled records",
}
# Fields of the user's own images, and what messages call them.
_OWN = {"class_names": "class names", "image_shape": "image shape"}


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Examples that are not used, for one reason.

    Attributes:
        reason: as in "longer than 256 subwords".
        count: how many, 1 or more.
        first: where the first of them is: "line 3".
    """

    reason: str
    count: int
    first: str


@dataclasses.dataclass(frozen=True)
class Usage:
    """What is used of a split, or of the sentences to learn subwords from.

    Attributes:
        examples: how many are used.
        left_out: the others.
        kind: what they are, in the plural.
        wanted: subwords asked for; 0 where none are learnt.
        learnt: how many there are.
        sha256: of what is used; empty where that is not looked at.
        sampled_sha256: of the few streamed records that are looked at; empty
            for what is not streamed.
        relabelled: how many have a wrong label on purpose; None where none
            is meant to.
        unfinished: how many translations have no end mark, for the search
            that found them came to its longest; None of what is no such.
        class_counts: examples of each class; empty where all are used.
        class_names: of the user's own images, in the order of the labels.
        image_shape: likewise, (height, width, channels); empty where they
            have many.
    """

    examples: int
    left_out: tuple[LeftOut, ...] = ()
    kind: str = "examples"
    wanted: int = 0
    learnt: int = 0
    sha256: str = ""
    sampled_sha256: str = ""
    relabelled: int | None = None
    unfinished: int | None = None
    class_counts: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """How many there are, used or not."""
        return self.examples + self.num_left_out

    @property
    def num_left_out(self) -> int:
        """How many are not used."""
        return sum(part.count for part in self.left_out)

    def as_dict(self) -> dict[str, Any]:
        """The entry of a run's record."""
        subwords = {"wanted": self.wanted, "learnt": self.learnt}
        digests = {name: getattr(self, name) for name in _DIGESTS}
        counts = {"relabelled": self.relabelled, "unfinished": self.unfinished}
        tail = {"class_counts": list(self.class_counts)}
        own = {name: getattr(self, name) for name in _OWN}
        return {
            "examples": self.examples,
            "left_out": {part.reason: part.count for part in self.left_out},
            **{name: n for name, n in counts.items() if n is not None},
            **(tail if self.class_counts else {}),
            **{name: list(value) for name, value in own.items() if value},
            **(subwords if self.wanted else {}),
            **{name: value for name, value in digests.items() if value},
        }

    def after(self, entry: Mapping[str, Any]) -> "Usage":
        """What is used, as far as this process and one before it know.

        Args:
            entry: of the record that the earlier one left; of damaged
                examples it says how many it met, and not which.

        Returns:
            Usage: of what is left out for one reason, the larger count.
        """
        counts = {part.reason: part for part in self.left_out}
        for reason, count in entry.get("left_out", {}).items():
            if count > counts.get(reason, LeftOut(reason, 0, "")).count:
                known = counts.get(reason, LeftOut(reason, count, "unknown"))
                counts[reason] = dataclasses.replace(known, count=count)
        left_out = tuple(counts.values())
        used = self.total - sum(part.count for part in left_out)
        return dataclasses.replace(self, examples=used, left_out=left_out)

    def refuse(self, where: str, allowed: float) -> None:
        """Refuses data of which too much is left out.

        Args:
            where: data set and split.
            allowed: the largest share that may be left out, 0 to 1.

        Raises:
            DataError: one line.
        """
        if self.num_left_out <= allowed * self.total:
            return
        reasons = "; ".join(
            f"{part.count} {part.reason}, the first at {part.first}"
            for part in self.left_out
        )
        raise DataError(
            f"{where}: {self.num_left_out} of {self.total} {self.kind} would "
            f"be left out ({reasons}); wanted a share of {allowed:g} at most; "
            "data.allow_left_out allows more"
        )


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of the arrays that are used of a split, as hex.

    Source: ours.
    """
    words = " ".join(map(arrays_of_files.digest, arrays))
    return hashlib.sha256(words.encode()).hexdigest()


def of_own(info: DatasetInfo) -> dict[str, Any]:
    """What is recorded of the user's own images, beside their digest."""
    if not info.is_own:
        return {}
    shape = info.image_shape if all(info.image_shape) else ()
    return {"class_names": info.class_names, "image_shape": shape}


def refuse_other(
    run: str,
    recorded: Mapping[str, Mapping[str, Any]],
    data: Mapping[str, Usage],
) -> None:
    """Refuses to go on with a run on other data than it was begun on.

    Args:
        run: its title.
        recorded: the entries of its record: name -> ``as_dict``; those of a
            record from before they had digests are believed.
        data: what there is now.

    Raises:
        DataError: one line.
        RunError: the record counts more or fewer examples than there are.

    Source: ours.
    """
    for name, entry in recorded.items():
        usage = data.get(name, Usage(0))
        for of, kind in _DIGESTS.items():
            then, now = entry.get(of), getattr(usage, of)
            if then and now and then != now:
                raise DataError(
                    f"run {run} was begun on other data: {name} had the "
                    f"{kind} {then[:12]} then and has {now[:12]} now; put "
                    "back what it was, or make the run anew in another "
                    "--runs_dir"
                )
        for of, kind in _OWN.items():
            then, now = entry.get(of), list(getattr(usage, of))
            if then and now and then != now:
                raise DataError(
                    f"run {run} was begun on other data: {name} had the "
                    f"{kind} {shown(then)} then and has {shown(now)} now; put "
                    "back what it was, or make the run anew in another "
                    "--runs_dir"
                )
        out = sum(entry["left_out"].values())
        if usage.sampled_sha256 and entry["examples"] + out != usage.total:
            raise RunError(
                f"run {run}: its run.json is damaged: of {name} it counts "
                f"{entry['examples']} {usage.kind} used and {out} left out, "
                f"wanted {usage.total} in all; put back what was written, or "
                "make the run anew in another --runs_dir"
            )


def lines(data: Mapping[str, Usage]) -> list[str]:
    """Says what is left out of the data.

    Args:
        data: name of a split, or "subwords" -> what is used of it.

    Returns:
        A line for each split and reason; none if all is used.

    Source: ours.
    """
    said = []
    for name, usage in data.items():
        said += [
            f"{name}: left out {part.count} of {usage.total} {usage.kind}, "
            f"{part.reason}, the first at {part.first}"
            for part in usage.left_out
        ]
        if usage.unfinished:
            said.append(
                f"{name}: {usage.unfinished} of {usage.total} have no end "
                "mark, teacher.extra_length was not enough for it"
            )
        if usage.learnt < usage.wanted:
            said.append(
                f"{name}: learnt {usage.learnt} of {usage.wanted}, the text "
                "has no more"
            )
    return said
