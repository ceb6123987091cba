"""The starting model, frozen: embeddings of texts and of labels, to stay near and to mine with.

Input: the weights at the start; lists of token ids.
Output: unit vectors on the CPU; a label's is computed once.
Invariant: what `views` gives as `text` and `alone` before the first step.
Ignorance: knows nothing of rows and losses.
"""

import packed
import torch
import torch.nn.functional as F

TOKENS = 8192


class Plain:
    def __init__(self, vocabulary, weights, config, device, autocast):
        prefix = "backbone."
        self.weights = {
            name.removeprefix(prefix): tensor.detach().clone()
            for name, tensor in weights.items()
            if name.startswith(prefix)
        }
        self.vocabulary, self.config = vocabulary, config["backbone_config"]
        self.device, self.autocast = device, autocast
        self.known = {}

    @torch.no_grad()
    def embed(self, ids):
        result = torch.zeros(len(ids), self.config["hidden_size"])
        order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
        while order:
            longest = len(ids[order[min(len(order), 64) - 1]]) + 2
            part, order = order[: TOKENS // longest or 1], order[TOKENS // longest or 1 :]
            batch = packed.pack(self.vocabulary, [ids[n] for n in part], [[]] * len(part), [])
            batch = batch.to(self.device)
            with self.autocast():
                states = packed.encode(self.weights, self.config, batch)
            means = packed.pooled(states.float(), batch.texts)
            result[part] = F.normalize(means, dim=-1).cpu()
        return result

    def labels(self, ids):
        """Embeddings of labels, each a tuple of ids."""
        new = [label for label in dict.fromkeys(ids) if label not in self.known]
        if new:
            found = self.embed([list(label) for label in new])
            self.known.update(zip(new, found, strict=True))
        return torch.stack([self.known[label] for label in ids])
