# SPDX-License-Identifier: Apache-2.0
"""The model of spec/numerics.md in PyTorch floating point: the comparison for gradients and convergence."""
import torch

from reference.numerics import weight_names

EPS = 2.0**-17


def parameters(c, master, dtype, nudge=0.0, seed=0):
    """Leaf tensors from int32 masters at fraction 28, optionally nudged by a relative normal perturbation."""
    noise = torch.Generator().manual_seed(seed)
    out = {}
    for name in weight_names(c):
        p = torch.from_numpy(master[name].astype("float64")) * 2.0**-28
        if nudge:
            p = p * (1 + nudge * torch.randn(p.shape, generator=noise, dtype=torch.float64))
        out[name] = p.to(dtype).requires_grad_()
    return out


def norm(x):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS)


def logits(c, p, tokens):
    B, T = tokens.shape
    x = p["E"][tokens] + p["P"]
    causal = torch.full((T, T), float("-inf"), dtype=x.dtype).triu(1)

    def heads(a):
        return a.view(B, T, c.H, c.hd).transpose(1, 2)

    for layer in range(c.L):
        y = norm(x)
        q, k, v = (heads(y @ p[f"W{n}{layer}"]) for n in "qkv")
        a = torch.softmax(q @ k.transpose(2, 3) / c.hd**0.5 + causal, -1)
        x = x + (a @ v).transpose(1, 2).reshape(B, T, c.d) @ p[f"Wo{layer}"]
        x = x + torch.nn.functional.gelu(norm(x) @ p[f"W1{layer}"]) @ p[f"W2{layer}"]
    return norm(x) @ p["Wh"]


def loss_sum(c, p, tokens, targets):
    return torch.nn.functional.cross_entropy(logits(c, p, tokens).view(-1, c.V), targets.reshape(-1), reduction="sum")


def adam(p):
    """Betas and epsilon of section 12."""
    return torch.optim.Adam(list(p.values()), lr=0.0, betas=(1 - 1 / 8, 1 - 1 / 128), eps=1e-8)
