"""The steps of the JAX engine as pure functions, of one network or a stack.

A stack is the same step under ``vmap``: networks that differ in seed, alpha,
temperature or teacher, but in no shape, train side by side in one program.
"""

from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras

from ls_tf.protocols import Task
from ls_tf.training.engine import Transform, equal_slice

Arrays = Mapping[str, Any]
# "trainable", "rest" (of the model) and "optimizer": arrays in Keras's order,
# each with the network as its first axis where several are stacked.
State = dict[str, list[Any]]


class Steps:
    """What a step computes, from state to state."""

    def __init__(
        self,
        task: Task,
        optimizer: Any,
        transform: Transform,
        *,
        micro_batches: int,
        networks: int,
        own: Collection[str],
    ) -> None:
        """Takes the parts of the first network; they serve all.

        Args:
            task: what is computed.
            optimizer: of Keras, built.
            transform: what happens to the mean gradient before the optimizer.
            micro_batches: in how many parts the batch is taken.
            networks: how many are stacked.
            own: names of resident data of which each network has its own.
        """
        self._task, self._optimizer = task, optimizer
        self._transform = transform
        self._micro_batches = micro_batches
        self._size = networks
        self._own = own

    def _gradients(
        self, state: State, resident: Arrays, hyper: Arrays, draws: Arrays
    ) -> tuple[dict[str, Any], list[Any], list[Any]]:
        """Sums, their gradients, and the model's other variables."""
        task, parts = self._task, self._micro_batches
        trainable = task.model.trainable_variables
        others = task.model.non_trainable_variables

        def loss(values: list[Any], rest: list[Any], mine: Arrays) -> Any:
            mapping = [
                *zip(trainable, values, strict=True),
                *zip(others, rest, strict=True),
            ]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                sums = task.loss(task.batch(resident, mine), hyper)
            rest = [scope.get_current_value(v) for v in others]
            return sums["loss"], (sums, rest)

        total: dict[str, Any] = {}
        grads: list[Any] = [0.0] * len(trainable)
        rest = state["rest"]
        for part in range(parts):
            mine = {k: equal_slice(v, part, parts) for k, v in draws.items()}
            part_grads, (sums, rest) = jax.grad(loss, has_aux=True)(
                state["trainable"], rest, mine
            )
            total = {k: total.get(k, 0.0) + v for k, v in sums.items()}
            grads = [a + b for a, b in zip(grads, part_grads, strict=True)]
        return total, grads, rest

    def _of_network(
        self, state: State, resident: Arrays, hyper: Arrays, draws: Arrays
    ) -> tuple[State, dict[str, Any]]:
        """One step of one network."""
        variables = self._task.model.trainable_variables
        sums, grads, rest = self._gradients(state, resident, hyper, draws)
        grads = [g / sums["weight"] for g in grads]
        grads = self._transform(grads, variables, state["trainable"])
        trainable, optimizer = self._optimizer.stateless_apply(
            state["optimizer"], grads, state["trainable"]
        )
        after = {"trainable": trainable, "rest": rest, "optimizer": optimizer}
        return after, {k: sums[k] / sums["weight"] for k in self._task.logged}

    def one(
        self, state: State, resident: Arrays, hyper: Arrays, draws: Arrays
    ) -> tuple[State, dict[str, Any]]:
        """One step of all networks.

        Args:
            state: before it.
            resident: data that stays on the devices.
            hyper: the numbers of the loss: float32 scalars, or [networks].
            draws: what the batch is made of: name -> [batch, ...], or
                [networks, batch, ...].

        Returns:
            (state after it, name -> mean, a scalar or [networks]).
        """
        if self._size == 1:
            return self._of_network(state, resident, hyper, draws)
        axes = {k: 0 if k in self._own else None for k in resident}
        many = jax.vmap(self._of_network, in_axes=(0, axes, 0, 0))
        stepped: tuple[State, dict[str, Any]] = many(
            state, resident, hyper, draws
        )
        return stepped

    def many(
        self,
        state: State,
        resident: Arrays,
        hyper: Arrays,
        draws: Arrays,
        count: Any = None,
    ) -> tuple[State, dict[str, Any]]:
        """The first steps of a plan, one after the other.

        Args:
            state: before them.
            resident: see ``one``.
            hyper: see ``one``.
            draws: as of ``one``, with the step as an axis before: [n, ...].
            count: how many; None for all n, which a compiler can count on.

        Returns:
            (state after them, name -> means [n] or [n, networks], of which
            only those of the steps are to be used).
        """
        size = len(next(iter(draws.values())))
        shape = (size,) if self._size == 1 else (size, self._size)

        def body(i: Any, carry: Any) -> Any:
            state, logs = carry
            row = {
                k: jax.lax.dynamic_index_in_dim(v, i, keepdims=False)
                for k, v in draws.items()
            }
            state, means = self.one(state, resident, hyper, row)
            logs = {
                k: jax.lax.dynamic_update_index_in_dim(v, means[k], i, 0)
                for k, v in logs.items()
            }
            return state, logs

        logs = {k: jnp.zeros(shape) for k in self._task.logged}
        stepped: tuple[State, dict[str, Any]] = jax.lax.fori_loop(
            0, size if count is None else count, body, (state, logs)
        )
        return stepped
