"""Every model family again, slowly and in float64 numpy: the oracle of `test_model_families`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray
Masks = Callable[[tuple[int, ...]], Array] | None
"""Gives the factor (0 or 1 / (1 - rate)) of each unit of the next dropout layer; None where there is none."""


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def conv(x: Array, kernel: Array, bias: Array | None = None, stride: int = 1) -> Array:
    """TensorFlow's SAME convolution: the smaller half of the padding comes first."""
    size, _, _, filters = kernel.shape
    out = [-(-side // stride) for side in x.shape[1:3]]
    pads = [max((o - 1) * stride + size - side, 0) for o, side in zip(out, x.shape[1:3], strict=True)]
    x = np.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)])
    result = np.zeros((len(x), *out, filters))
    for i in range(out[0]):
        for j in range(out[1]):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            result[:, i, j] = np.tensordot(window, kernel, 3)
    return result if bias is None else result + bias


def pool(x: Array) -> Array:
    """2x2 maximum, stride 2; one pixel stays one pixel, an odd rest is left out."""
    for axis in (1, 2):
        if x.shape[axis] > 1:
            pairs = x.shape[axis] // 2
            first = x.take(range(0, 2 * pairs, 2), axis)
            x = np.maximum(first, x.take(range(1, 2 * pairs, 2), axis))
    return x


def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * gamma + beta


def ghost_norm(x: Array, gamma: Array, beta: Array, ghost_batch: int) -> tuple[Array, Array]:
    """The normalised batch, and [mean, variance] summed over rows."""
    out, sums = np.empty_like(x), np.zeros((2, x.shape[-1]))
    for start in range(0, len(x), ghost_batch):
        ghost = x[start : start + ghost_batch]
        axes = tuple(range(ghost.ndim - 1))
        mean, variance = ghost.mean(axes), ghost.var(axes)
        out[start : start + ghost_batch] = (ghost - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        sums += len(ghost) * np.stack([mean, variance])
    return out, sums


def fc(weights: Iterator[Array], x: Array, options: Any, masks: Masks) -> Array:
    x = x.reshape(len(x), -1)
    for _ in options["widths"]:
        x = relu(x @ next(weights) + next(weights))
        x = x * masks(x.shape) if masks else x
    return x @ next(weights) + next(weights)


def simple_cnn(weights: Iterator[Array], x: Array, options: Any, masks: Masks) -> Array:
    for _ in range(2):
        x = pool(relu(conv(x, next(weights), next(weights))))
    return fc(weights, x, {"widths": [0]}, masks)


def vgg(weights: Iterator[Array], x: Array, options: Any, masks: Masks) -> Array:
    for i in range(8):
        x = relu(conv(x, next(weights), next(weights)))
        x = pool(x) if i in (0, 1, 3, 5, 7) else x
    return fc(weights, x, {"widths": [0, 0]}, masks)


def resnet_8(weights: Iterator[Array], x: Array, options: Any, masks: Masks) -> Array:
    x = relu(conv(x, next(weights), next(weights)))
    for stage in range(3):
        stride = 1 if stage == 0 else 2
        y = relu(conv(x, next(weights), next(weights), stride))
        y = conv(y, next(weights), next(weights))
        shortcut = np.zeros_like(y)
        shortcut[..., : x.shape[-1]] = x[:, ::stride, ::stride]
        x = relu(shortcut + y)
    return x.mean((1, 2)) @ next(weights) + next(weights)


def resnet_50(weights: Iterator[Array], x: Array, options: Any, masks: Masks) -> Array:
    """Weights in the order of creation, as the builder calls its layers (stem = small)."""
    ghost = options["ghost_batch"]

    def normalised(y: Array) -> Array:
        return relu(ghost_norm(y, next(weights), next(weights), ghost)[0])

    x = conv(x, next(weights))
    for stage, blocks in enumerate(options["blocks"]):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = normalised(x)
            shortcut = conv(y, next(weights), stride=stride) if block == 0 else x
            y = normalised(conv(y, next(weights)))
            y = normalised(conv(y, next(weights), stride=stride))
            x = shortcut + conv(y, next(weights))
    return normalised(x).mean((1, 2)) @ next(weights) + next(weights)


def positions(length: int, width: int) -> Array:
    codes = np.zeros((length, width))
    for p in range(length):
        for i in range(width // 2):
            codes[p, i] = np.sin(p / 10000 ** (2 * i / width))
            codes[p, width // 2 + i] = np.cos(p / 10000 ** (2 * i / width))
    return codes


def attention(x: Array, w: Array, b: Array, wo: Array, bo: Array, heads: int) -> Array:
    """One example, head and position at a time, each seeing only what came before."""
    batch, length, width = x.shape
    size = width // heads
    q, k, v = np.split(x @ w + b, 3, axis=-1)
    mixed = np.zeros_like(x)
    for n in range(batch):
        for h in range(heads):
            cut = slice(h * size, (h + 1) * size)
            for t in range(length):
                seen = softmax(k[n, : t + 1, cut] @ q[n, t, cut] / np.sqrt(size))
                mixed[n, t, cut] = seen @ v[n, : t + 1, cut]
    return mixed @ wo + bo


def transformer(weights: Iterator[Array], tokens: Array, options: Any, masks: Masks) -> Array:
    """Weights: embedding, then per layer (pre: norm, sublayer; post: sublayer, norm), last norm, output."""
    width, pre = options["width"], options["norm"] == "pre"

    def dropped(x: Array) -> Array:
        return x * masks(x.shape) if masks else x

    def feed_forward(x: Array) -> Array:
        return relu(x @ next(weights) + next(weights)) @ next(weights) + next(weights)

    def attend(x: Array) -> Array:
        return attention(x, *(next(weights) for _ in range(4)), options["heads"])

    embedding = next(weights)
    x = dropped(embedding[tokens] * np.sqrt(width) + positions(tokens.shape[1], width))
    for _ in range(options["layers"]):
        for sublayer in (attend, feed_forward):
            if pre:
                x = x + dropped(sublayer(layer_norm(x, next(weights), next(weights))))
            else:
                x = x + dropped(sublayer(x))
                x = layer_norm(x, next(weights), next(weights))
    if pre:
        x = layer_norm(x, next(weights), next(weights))
    return x @ embedding.T + next(weights) if options["tied"] else x @ next(weights) + next(weights)


def lstm(weights: Iterator[Array], tokens: Array, options: Any, masks: Masks) -> Array:
    """PyTorch's formulas of an LSTM with proj_size, gates in the order i, f, g, o."""
    embedding, kernel, recurrent, bias, project = (next(weights) for _ in range(5))
    x = embedding[tokens] * np.sqrt(options["embedding"])
    x = x * masks(x.shape) if masks else x
    batch, length, _ = x.shape
    h, c, out = np.zeros((batch, project.shape[1])), np.zeros((batch, options["hidden"])), []
    for t in range(length):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ project
        out.append(h)
    hidden = np.stack(out, axis=1)
    hidden = hidden * masks(hidden.shape) if masks else hidden
    return hidden @ next(weights) + next(weights)


def cross_entropy(logits: Array, labels: Array, smoothing: float = 0.0) -> Array:
    """Per position, with the target distribution written out: 1 - eps on the label, eps / (K - 1)
    elsewhere."""
    classes = logits.shape[-1]
    targets = np.full(logits.shape, smoothing / (classes - 1))
    np.put_along_axis(targets, labels[..., None], 1.0 - smoothing, axis=-1)
    return -(targets * np.log(softmax(logits))).sum(-1)
