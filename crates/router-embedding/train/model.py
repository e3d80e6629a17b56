"""The model and its gradient: a text's vector is the sum of its tokens' rows, at length 1.

numpy does: a batch touches few rows, and a gradient of one layer is written down quickly.
"""

import numpy as np
import scipy.sparse


def counts(tokenizer, texts):
    """How often each token is in each text: a sparse matrix, texts by tokens."""
    tokens, ends = [], [0]
    for text in texts:
        tokens += tokenizer(text)
        ends.append(len(tokens))
    ones, tokens = np.ones(len(tokens), np.float32), np.array(tokens, np.int32)
    matrix = scipy.sparse.csr_matrix((ones, tokens, np.array(ends)), shape=(len(texts), len(tokenizer.numbers)))
    matrix.sum_duplicates()
    return matrix


def has_tokens(matrix):
    """Which texts have any token."""
    return np.asarray(matrix.sum(1)).ravel() > 0


def unit(rows):
    """`rows` at length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def forward(matrix, table):
    """The vectors of texts, and the lengths that their sums had."""
    sums = matrix @ table
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    return sums / lengths, lengths


def backward(matrix, vectors, lengths, gradient):
    """From the `gradient` by the vectors, that by the table: the rows that the texts touch, and their gradients."""
    by_sums = (gradient - vectors * (gradient * vectors).sum(1, keepdims=True)) / lengths
    rows = np.unique(matrix.indices)
    return rows, matrix.T.tocsr()[rows] @ by_sums


class Adam:
    """Adam (Kingma and Ba, 2015) over the rows that a batch touches; the others' moments stay as they are."""

    def __init__(self, table):
        self.table = table
        self.first, self.second = np.zeros_like(table), np.zeros_like(table)
        self.steps = 0

    def step(self, rows, gradient, rate):
        """Moves `rows` of the table, in place."""
        self.steps += 1
        first = self.first[rows] * 0.9 + gradient * 0.1
        second = self.second[rows] * 0.99 + gradient * gradient * 0.01
        self.first[rows], self.second[rows] = first, second
        first, second = first / (1 - 0.9**self.steps), second / (1 - 0.99**self.steps)
        self.table[rows] -= rate * first / (np.sqrt(second) + 1e-8)
