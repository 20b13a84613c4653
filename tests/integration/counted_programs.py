"""A program for tests: what JAX compiles for the runs of one process.

Arguments: what to count, and a folder. It prints JSON.
"""

import json
import sys
import threading
from pathlib import Path

import keras
import numpy as np
from jax import export, monitoring, stages

from ls_tf.running import assembly, sweep
from ls_tf.running.session import Machine, Session
from ls_tf.spec.resolve import resolve
from ls_tf.training import jax_engine, jax_programs

_COMPILED = "/jax/core/compile/backend_compile_duration"
TEMPERATURES = (1.0, 2.0, 3.0, 4.0)

_export = export.export
_compile = stages.Lowered.compile
_program = jax_programs.Compilation.program

compiled = []


def _take_name(event, seconds, **about):
    if event == _COMPILED:
        compiled.append(about["fun_name"])


def student(temperature):
    return resolve(
        "fc_digits_student",
        changed={
            "teacher.matching": "soft",
            "teacher.student_temperature": temperature,
            "teacher.teacher_temperature": temperature,
        },
        smoke=True,
    )


def sweep_of_temperatures(folder):
    """The programs of each run, and of the last one made anew elsewhere."""
    machine = Machine(engine="jax", runs_dir=f"{folder}/sweep")
    session = Session(machine)
    found = []
    for temperature in TEMPERATURES:
        before = len(compiled)
        sweep.make_missing([student(temperature)], machine, session)
        found.append(compiled[before:])
    jax_programs._programs = jax_programs._Programs()
    machine = Machine(engine="jax", runs_dir=f"{folder}/alone")
    session, before = Session(machine), len(compiled)
    sweep.make_missing([student(TEMPERATURES[-1])], machine, session)
    return [*found, compiled[before:]]


def lengths(folder):
    """The training programs, losses and weights of two ways to loop."""
    spec = resolve("fc_digits", changed={"train.log_every_steps": 8}).spec
    session = Session(Machine(engine="jax"))
    found = []
    for knows_length in (False, True):
        jax_programs._programs = jax_programs._Programs()
        engine = session.engine(spec, assembly.transform(spec))
        engine.build([assembly.recipe(spec, data_dir=None)])
        engine._knows_length = knows_length
        losses, before = [], len(compiled)
        for count in (1, 8, 3, 8):
            (logs,) = engine.run(len(losses), count)
            losses += logs["loss"].tolist()
        state = engine.networks[0].state()
        found.append(
            {
                "programs": compiled[before:].count("jit(many)"),
                "losses": losses,
                "state": {k: v.tolist() for k, v in state.items()},
            }
        )
    return found


def ahead(folder):
    """What the host does between the calls of a run, in its order."""
    spec = resolve(
        "fc_digits",
        changed={"train.log_every_steps": 8, "train.steps": 30},
    ).spec
    engine = Session(Machine(engine="jax")).engine(
        spec, assembly.transform(spec)
    )
    engine.build([assembly.recipe(spec, data_dir=None)])
    task, done = engine.networks[0].task, []
    feed, give, joined = task.feed, engine._call, jax_engine.shared.joined

    def fed(start, count, part):
        done.append(f"plan {start}+{count}")
        return feed(start, count, part)

    def called(draws, size):
        done.append(f"call {size}")
        return give(draws, size)

    def waited(calls):
        done.append("wait")
        return joined(calls)

    task.feed, engine._call, jax_engine.shared.joined = fed, called, waited
    losses = []
    for count in (1, 2, 4, 8, 3, 8):
        (logs,) = engine.run(len(losses), count)
        losses += logs["loss"].tolist()
    calls = [engine.begin(26, 1), engine.begin(27, 2), engine.begin(29, 1)]
    for call in calls:
        losses += call.logs()[0]["loss"].tolist()
    done_ahead, done[:] = list(done), []
    other = Session(Machine(engine="jax")).engine(
        spec, assembly.transform(spec)
    )
    other.build([assembly.recipe(spec, data_dir=None)])
    other._prepare = lambda start, count: None
    singly = [
        float(other.run(step, 1)[0]["loss"][0]) for step in range(len(losses))
    ]
    return done_ahead, losses == singly


def shapes(folder):
    """How a Transformer's shapes are compiled: in turn, and side by side."""
    sys.path.append(str(Path(__file__).parents[1]))
    from small_translation import CHANGES

    # Three shapes, which are asked for first at the steps 0, 2 and 3.
    changes = {
        **CHANGES,
        "data.train": "train[:160]",
        "train.global_batch_tokens": 512,
        "train.steps": 100,
    }
    spec = resolve("transformer_numbers", changed=changes).spec
    # What is compiled in turn is kept for what is side by side: it is the same.
    session = Session(Machine(engine="jax", compile_cache=f"{folder}/kept"))
    found = []
    for look_ahead in (0, 1000):
        jax_programs._programs = jax_programs._Programs()
        jax_engine._LOOK_AHEAD = look_ahead
        about = watched(others=2 if look_ahead else 0)
        before = len(compiled)
        engine = session.engine(spec, assembly.transform(spec))
        engine.build([assembly.recipe(spec, data_dir=None)])
        losses, built = [], len(compiled)
        while len(losses) < spec.train.steps:
            count = min(engine._most, spec.train.steps - len(losses))
            losses += engine.run(len(losses), count)[0]["loss"].tolist()
        state = engine.networks[0].state()
        found.append(
            {
                "programs": compiled[before:].count("jit(one)"),
                "others": [n for n in compiled[built:] if n != "jit(one)"],
                "losses": losses,
                # Keras numbers the optimizers of a process in their names.
                "state": [v.tolist() for v in state.values()],
                **about,
            }
        )
    # Whatever an evaluator computes of batches of several shapes.
    about = watched(others=2)
    (network,) = engine.networks
    batches = [{"x": np.arange(n)} for n in (4, 2, 4, 3, 2)]
    with network.measuring():
        sums = network.compute(_total, batches)
    found.append({"sums": [float(s["sum"]) for s in sums], **about})
    return found


def _total(batch):
    return {"sum": batch["x"].sum()}


def watched(*, others):
    """Keeps how many are compiled at once, and how many are waited for.

    Args:
        others: how many are there before the first is.
    """
    about = {"most": 0, "waited": 0}
    lock, begun, ended = threading.Condition(), [], []

    def compile_watched(lowered, options):
        with lock:
            begun.append(lowered)
            about["most"] = max(about["most"], len(begun) - len(ended))
            if len(begun) == 1:
                assert lock.wait_for(lambda: len(ended) >= others, 120)
        program = _compile(lowered, options)
        with lock:
            ended.append(lowered)
            lock.notify_all()
        return program

    def program(compilation):
        about["waited"] += not compilation.is_done
        return _program(compilation)

    stages.Lowered.compile = compile_watched
    jax_programs.Compilation.program = program
    return about


def kept(folder):
    """How many programs a process found in its folder, and how many not."""
    found = {"hits": 0, "misses": 0, "traced": 0}

    def exporting(*arguments, **options):
        found["traced"] += 1
        return _export(*arguments, **options)

    export.export = exporting

    def take(event, **about):
        name = event.removeprefix("/jax/compilation_cache/cache_")
        if name in found:
            found[name] += 1

    monitoring.register_event_listener(take)
    machine = Machine(
        engine="jax", runs_dir=f"{folder}/runs", compile_cache=f"{folder}/kept"
    )
    sweep.make_missing([resolve("fc_digits", smoke=True)], machine)
    return found


def traced(folder):
    """What is computed by programs of this process, and of an earlier one.

    Returns:
        For each experiment: how many were traced by a first engine that keeps
        them, by a second one, and by one that keeps none; and whether all
        three have computed the same to the bit.
    """
    sys.path.append(str(Path(__file__).parents[1]))
    from small_translation import CHANGES

    jax_engine._LOOK_AHEAD = 0
    times = []

    def exporting(*arguments, **options):
        times.append(1)
        return _export(*arguments, **options)

    export.export = exporting
    machine = Machine(engine="jax", compile_cache=f"{folder}/kept")
    session, found = Session(machine), {}
    for name, changes in (
        ("fc_digits", {"model.options.dropout_rate": 0.5}),
        ("transformer_numbers", CHANGES),
    ):
        identity, states, counts = resolve(name, changed=changes), [], []
        for kept_for in (identity, identity, None):
            jax_programs._programs = jax_programs._Programs()
            # As at the start of a process.
            keras.utils.clear_session()
            before, spec = len(times), identity.spec
            engine = session.engine(spec, assembly.transform(spec), kept_for)
            engine.build([assembly.recipe(spec, data_dir=None)])
            losses, done = [], 0
            while done < 2:
                (logs,) = engine.run(done, 1)
                losses += logs["loss"].tolist()
                done = len(losses)
            states.append([losses, *engine.networks[0].state().values()])
            counts.append(len(times) - before)
        same = [
            len(states[0]) == len(state)
            and all(map(np.array_equal, states[0], state))
            for state in states
        ]
        found[name] = [*counts, all(same)]
    return found


if __name__ == "__main__":
    monitoring.register_event_duration_secs_listener(_take_name)
    what = {
        "sweep": sweep_of_temperatures,
        "lengths": lengths,
        "kept": kept,
        "traced": traced,
        "ahead": ahead,
        "shapes": shapes,
    }[sys.argv[1]]
    print(json.dumps(what(sys.argv[2])))
