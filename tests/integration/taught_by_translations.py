"""A program for tests: what a student of a teacher's translations is given.

Arguments: engine, folder for the runs. Prints JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from keras import ops

sys.path.append(str(Path(__file__).parents[1]))

from small_translation import CHANGES  # noqa: E402

from ls_tf.measuring.translator import ModelTranslator  # noqa: E402
from ls_tf.protocols import Decoding  # noqa: E402
from ls_tf.records import runs  # noqa: E402
from ls_tf.records.runs import RunError  # noqa: E402
from ls_tf.running import assembly, execute  # noqa: E402
from ls_tf.running.session import Machine, Session  # noqa: E402
from ls_tf.spec.resolve import resolve, teacher_of  # noqa: E402
from ls_tf.training import checkpoints  # noqa: E402

SEARCH = {"beam_size": 3, "length_penalty": 1.0, "extra_length": 5}


def student_of(seed, beta):
    return resolve(
        "transformer_numbers_student",
        changed={
            **CHANGES,
            **{f"teacher.changes.{k}": v for k, v in CHANGES.items()},
            **{f"teacher.{k}": v for k, v in SEARCH.items()},
            "teacher.targets": "translations",
            "teacher.seed": 0,
            "teacher.beta": beta,
        },
        seed=seed,
    )


def finish(teacher, session, noise_seed):
    """Writes the record of a teacher with made-up weights."""
    rng = np.random.default_rng(noise_seed)
    (network,) = assembly.build([teacher], session).networks
    state = {
        name: value + 0.3 * rng.standard_normal(value.shape).astype(np.float32)
        if name.startswith("model/") and value.dtype == np.float32
        else value
        for name, value in network.state().items()
    }
    # Towards what all activations share: some sentences come to their end mark,
    # and some do not.
    table, shift = (
        next(v for k, v in state.items() if k.endswith(name))
        for name in ("embedding/table", "decoder_norm/beta")
    )
    table[1] = 1.5 * shift
    pending = {
        f"pending/{k}": np.zeros(0, np.float32) for k in network.task.logged
    }
    with runs.opened(session.machine.runs_dir, teacher, git=None) as directory:
        directory.begin(0, steps=4)
        folder = directory.path / "checkpoints"
        found = checkpoints.Checkpoint(4, {**state, **pending}, {})
        checkpoints.save(folder, found)
        directory.update(outcome="finished", step=4)


def task_of(student, session):
    (network,) = assembly.build([student], session).networks
    return network.task


def batches(task):
    """Source and target of each training pair, as batches hold them."""
    resident = {k: ops.convert_to_tensor(v) for k, v in task.resident.items()}
    pairs, step = {}, 0
    while len(pairs) < len(task.tokens("train")) and step < 400:
        plan = {k: v[0] for k, v in task.plan(step, 1).items()}
        batch = task.batch(resident, plan)
        sides = [ops.convert_to_numpy(batch[k]) for k in ("source", "target")]
        for row, index in enumerate(plan["index"].tolist()):
            pairs[index] = tuple(side[row].tolist() for side in sides)
        step += 1
    return pairs


def without_padding(ids):
    return ids[: max((i + 1 for i, one in enumerate(ids) if one), default=0)]


def same(task, other):
    return all(
        np.array_equal(task.resident[k], other.resident[k])
        for k in task.resident
    )


def main(engine, folder):
    session = Session(Machine(engine=engine, runs_dir=folder))
    student = student_of(0, beta=0.0)
    teacher = teacher_of(student)
    finish(teacher, session, 1)
    with execute.trained(teacher, session) as translator:
        direct = translator.translate_role("train", Decoding(**SEARCH))
        measured = {r: translator.texts(r) for r in ("calibrate", "report")}
        ids = {r: translator.targets(r) for r in measured}
    task = task_of(student, session)
    sources = task.tokens("train").source
    wrong = [
        index
        for index, (source, target) in batches(task).items()
        if without_padding(source) != sources.row(index).tolist()
        or without_padding(target)
        != without_padding([*direct.ids[index], int(direct.finished[index])])
    ]
    untouched = all(
        task.tokens(role).texts.target == measured[role].target
        and np.array_equal(task.tokens(role).target.tokens, ids[role].tokens)
        for role in measured
    )
    # The next seed, and one that learns from the probabilities too.
    translate, ModelTranslator.translate = ModelTranslator.translate, None
    next_seed = task_of(student_of(1, beta=0.0), session)
    with_both = task_of(student_of(0, beta=0.5), session)
    ModelTranslator.translate = translate
    # Other weights under the same name.
    folder = runs.checkpoint_folder(folder, teacher)
    for file in folder.glob("step-*"):
        file.rmtree()
    finish(teacher, session, 2)
    try:
        task_of(student, session)
        refused = ""
    except RunError as error:
        refused = str(error)
    print(
        json.dumps(
            {
                "pairs": len(batches(task)),
                "wrong": wrong,
                "finished": int(direct.finished.sum()),
                "untouched": untouched,
                "used": task.data_used["translations"].as_dict(),
                "same": [same(task, next_seed), same(task, with_both)],
                "teachers": [
                    any(k.startswith("teacher/") for k in one.resident)
                    for one in (task, with_both)
                ],
                "refused": refused,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
