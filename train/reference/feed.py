"""Draws passes in processes of their own, so that a GPU does not wait for Python.

Input: prepared sources, a recipe, a number of processes.
Output: passes, taken from the processes in turn.
Invariant: the same seed and number of processes give the same passes; processes end with their
parent. Must be made before the parent first uses a GPU: it forks.
Ignorance: knows nothing of what is done with a pass, and cannot be resumed in the middle.
"""

import gc
import multiprocessing
import random

import passes
import torch
from sampling import Sampler

AHEAD = 4  # passes waiting, a process


class Feed:
    def __init__(self, sources, vocabulary, recipe, processes, full=False):
        context = multiprocessing.get_context("fork")
        self.queues = [context.Queue(AHEAD) for _ in range(processes)]
        for number, queue in enumerate(self.queues):
            seed = random.Random(recipe["seed"] * 1009 + number).random()
            work = (sources, vocabulary, recipe, seed, queue, full)
            context.Process(target=draw, args=work, daemon=True).start()

    def __iter__(self):
        while True:
            for queue in self.queues:
                batch, aim = queue.get()
                yield [type(part)(*map(tensor, vars(part).values())) for part in (batch, aim)]


def tensor(array):
    return None if array is None else torch.from_numpy(array)


def draw(sources, vocabulary, recipe, seed, queue, full):
    torch.set_num_threads(1)
    # Millions of rows that never die: looking through them again and again takes half the time.
    gc.disable()
    sampler = Sampler(sources, vocabulary, recipe, seed)
    while True:
        for examples in sampler.batches(sampler.pool()):
            made = passes.of_examples(examples, vocabulary, full)
            # As arrays: sent as tensors each would take a file of shared memory.
            for part in made:
                vars(part).update(
                    {name: x if x is None else x.numpy() for name, x in vars(part).items()}
                )
            queue.put(made)
