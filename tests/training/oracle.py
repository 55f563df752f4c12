"""A fully connected net with one hidden layer, its gradient and its training, in plain numpy: what training must equal."""

import numpy as np

from workloads import stateless


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def mask(seed, step, rows, units, rate, layer=1):
    """The dropout mask of one layer for rows of the global batch, from the bits' definition."""
    scope = stateless.Scope(np.uint32(seed), np.uint32(step), np.asarray(rows, np.uint32), {})
    return stateless.kept(stateless.row_keys(scope, layer, np), units, rate, np)


def loss_and_gradients(weights, x, labels, keep, rate, smoothing):
    """Mean cross entropy of ReLU + dropout + softmax over the batch, and its gradient, by hand."""
    w1, b1, w2, b2 = weights
    classes = b2.size
    pre = x @ w1 + b1
    hidden = np.maximum(pre, 0) * keep / (1 - rate)
    p = softmax(hidden @ w2 + b2)
    target = np.full((len(x), classes), smoothing / (classes - 1))
    target[np.arange(len(x)), labels] = 1 - smoothing
    loss = -(target * np.log(p)).sum(-1).mean()
    d_logits = (p - target) / len(x)
    d_hidden = (d_logits @ w2.T) * keep / (1 - rate) * (pre > 0)
    return loss, [x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_logits, d_logits.sum(0)]


def train(weights, features, labels, order, *, algorithm, meta, seed, batch_size, steps):
    """The losses of every step and the final weights; `order` gives the example at each position of the stream."""
    weights = [np.asarray(w, np.float64) for w in weights]
    velocity = [np.zeros_like(w) for w in weights]
    losses = []
    for t in range(steps):
        rows = order[t * batch_size : (t + 1) * batch_size]
        keep = mask(seed, t, np.arange(batch_size), weights[1].size, meta["dropout"])
        x = features[rows].reshape(batch_size, -1).astype(np.float64)
        loss, gradients = loss_and_gradients(
            weights, x, labels[rows], keep, meta["dropout"], meta["label_smoothing"]
        )
        losses.append(loss)
        alpha, horizon = meta["end_learning_rate_factor"], meta["learning_rate_decay_steps"]
        eta = meta["learning_rate"] * (1 - (1 - alpha) * min(t / horizon, 1))
        for i, gradient in enumerate(gradients):
            g = gradient + meta["weight_decay"] * weights[i]
            velocity[i] = meta["momentum"] * velocity[i] + g
            move = {
                "sgd": g,
                "momentum": velocity[i],
                "nesterov_momentum": g + meta["momentum"] * velocity[i],
            }
            weights[i] = weights[i] - eta * move[algorithm]
    return np.array(losses), weights
