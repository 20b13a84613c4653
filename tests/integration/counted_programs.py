"""A program for tests: what JAX compiles for the runs of one process.

Arguments: what to count, and a folder. It prints JSON.
"""

import json
import sys

from jax import monitoring

from ls_tf.running import assembly, sweep
from ls_tf.running.session import Machine, Session
from ls_tf.spec.resolve import resolve
from ls_tf.training import jax_engine, jax_programs

_COMPILED = "/jax/core/compile/backend_compile_duration"
TEMPERATURES = (1.0, 2.0, 3.0, 4.0)

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


def kept(folder):
    """How many programs a process found in its folder, and how many not."""
    found = {"hits": 0, "misses": 0}

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


if __name__ == "__main__":
    monitoring.register_event_duration_secs_listener(_take_name)
    what = {
        "sweep": sweep_of_temperatures,
        "lengths": lengths,
        "kept": kept,
        "ahead": ahead,
    }[sys.argv[1]]
    print(json.dumps(what(sys.argv[2])))
