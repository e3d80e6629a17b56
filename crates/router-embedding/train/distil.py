"""Stage 1: the table is fitted so that its vectors come near the teacher's, turned to their main axes."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

import model

SEED = 1
DIMENSIONS = 256
EPOCHS = 8
BATCH = 4096
RATE = 0.01
HELD_OUT = 4000
"""How many texts are kept to see how near the vectors come."""


class Goal(NamedTuple):
    """Texts, as counts of tokens, and the vectors that they should have."""

    texts: scipy.sparse.csr_matrix
    vectors: np.ndarray


def goal(tokenizer, texts, teacher_vectors):
    """What the table is fitted to: the teacher's vectors, centred, on the axes along which they differ most, at length 1."""
    matrix = model.counts(tokenizer, texts)
    some = model.has_tokens(matrix)
    matrix, vectors = matrix[some], teacher_vectors[some]
    vectors = vectors - vectors.mean(0)
    # Every fourth vector tells the axes well enough.
    _, _, axes = np.linalg.svd(vectors[::4], full_matrices=False)
    return Goal(matrix, model.unit(vectors @ axes[:DIMENSIONS].T))


def start(goal):
    """A first table: the mean vector of the texts that have a token, weighted by how rare it is."""
    frequency = np.asarray((goal.texts > 0).sum(0)).ravel()
    rarity = np.log((goal.texts.shape[0] + 1) / (frequency + 1)).astype(np.float32)
    parts = goal.vectors / np.maximum(np.asarray(goal.texts.sum(1)), 1)
    table = model.unit((goal.texts.T @ parts) / (frequency[:, None] + 1.0) + 1e-6) * (rarity[:, None] / 8)
    table[frequency == 0] *= 0.3
    return table.astype(np.float32)


def fit(goal):
    """A table whose vectors have small angles to the goal's."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(goal.texts.shape[0])
    held_out, order = np.split(order, [min(HELD_OUT, len(order) // 10)])
    table = start(goal)
    adam = model.Adam(table)
    for epoch in range(EPOCHS):
        rng.shuffle(order)
        rate = RATE * 0.5 ** max(0, epoch - 3)
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            adam.step(*gradient(goal, batch, table, 50 / len(batch)), rate)
        vectors, _ = model.forward(goal.texts[held_out], table)
        cosine = (vectors * goal.vectors[held_out]).sum(1).mean()
        print(f"stage 1, epoch {epoch + 1}: mean cosine to the teacher on held-out texts {cosine:.4f}", flush=True)
    return table


def gradient(goal, batch, table, weight):
    """The gradient of the negative cosines between the vectors of a batch of texts and the goal's, times `weight`."""
    texts = goal.texts[batch]
    vectors, lengths = model.forward(texts, table)
    return model.backward(texts, vectors, lengths, -goal.vectors[batch] * weight)
