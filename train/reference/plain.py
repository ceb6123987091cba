"""The starting model, frozen: embeddings of texts and of labels, to stay near and to mine with.

Input: the weights at the start; packed batches, or lists of token ids.
Output: unit vectors, those of a batch where the batch is, others on the CPU.
Invariant: what `views` gives as `text` and `alone` before the first step.
Ignorance: knows nothing of rows and losses.
"""

import packed
import torch
import torch.nn.functional as F

TOKENS = 32768


class Plain:
    def __init__(self, vocabulary, weights, config, device, autocast):
        prefix = "backbone."
        self.weights = {
            name.removeprefix(prefix): tensor.detach().clone().to(device)
            for name, tensor in weights.items()
            if name.startswith(prefix)
        }
        self.vocabulary, self.config = vocabulary, config["backbone_config"]
        self.device, self.autocast = device, autocast

    @torch.no_grad()
    def look(self, batch):
        """Of a batch, the embeddings of its texts and of its labels alone."""
        with self.autocast():
            states = packed.encode(self.weights, self.config, batch.plain()).float()
        return (
            F.normalize(packed.pooled(states, batch.texts), dim=-1),
            F.normalize(packed.pooled(states, batch.alone), dim=-1),
        )

    def embed(self, ids):
        result = torch.zeros(len(ids), self.config["hidden_size"])
        order = sorted(range(len(ids)), key=lambda n: len(ids[n]))
        while order:
            longest = len(ids[order[min(len(order), 256) - 1]]) + 2
            part, order = order[: TOKENS // longest or 1], order[TOKENS // longest or 1 :]
            batch = packed.pack(self.vocabulary, [ids[n] for n in part], [[]] * len(part), [])
            result[part] = self.look(batch.to(self.device))[0].cpu()
        return result
