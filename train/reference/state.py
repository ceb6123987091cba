"""What a training needs to go on: written in one rename, read back whole.

Input: trained tensors, optimiser, sampler, step. Output: OUT/state.pt.
Invariant: a kill at any moment leaves the old state or the new one.
Ignorance: knows nothing of what the numbers mean.
"""

import os

import torch


def write(path, step, trained, average, optimiser, sampler):
    fresh = path.with_suffix(".incoming")
    torch.save(
        {
            "step": step,
            "trained": {name: tensor.detach().cpu() for name, tensor in trained.items()},
            "average": {name: tensor.cpu() for name, tensor in average.items()},
            "optimiser": optimiser.state_dict(),
            "begun": sampler.begun if sampler else None,
            "taken": sampler.taken if sampler else 0,
        },
        fresh,
    )
    with open(fresh, "rb") as file:
        os.fsync(file.fileno())
    os.replace(fresh, path)


def read(path, trained, average, optimiser, sampler):
    """Fills everything in place and returns the step to go on from."""
    # Our own file: it holds Python's random state, which the weights-only reader refuses.
    state = torch.load(path, map_location="cpu", weights_only=False)
    with torch.no_grad():
        for name, tensor in state["trained"].items():
            trained[name].copy_(tensor)
        for name, tensor in state["average"].items():
            average[name].copy_(tensor)
    optimiser.load_state_dict(state["optimiser"])
    if sampler:
        sampler.return_to(state["begun"], state["taken"])
    return state["step"]
