"""Stage 2: a request's vector is drawn to that of the tool it means and pushed from those of all others in its batch.

Stage 1's goal stays part of the loss, so that words that API descriptions seldom have keep their vectors.
"""

import collections
import random

import numpy as np
import scipy.sparse

import distil
import model
import pairs

SEED = 1
HELD_OUT_SEED = 99
EPOCHS = 5
RATE = 0.004
TEMPERATURE = 0.06
BATCH = 2048
OF_WORDNET = int(0.1 * BATCH)
OF_SIBLINGS = int(0.2 * BATCH)
"""Pairs beside many others of the same API, which are the hardest to tell apart."""
OF_ALL = BATCH - OF_WORDNET - OF_SIBLINGS
MOST_SIBLINGS = 24
LEAST_SIBLINGS = 8
HELD_OUT_FILES = 60
UNWANTED_SUBJECTS = (5, 20)  # animals, plants
GOAL_BATCH = 2048
GOAL_WEIGHT = 4.0


class Contrast:
    """What stage 2 learns from, without the API descriptions that are held out."""

    def __init__(self, tokenizer, operations, synsets, goal):
        self.tokenizer, self.goal = tokenizer, goal
        self.random, self.numbers = random.Random(SEED), np.random.default_rng(SEED)
        self.synsets = [of for of in synsets if of.part_of_speech != "noun" or of.subject not in UNWANTED_SUBJECTS]
        files = sorted({operation.file for operation in operations})
        self.random.shuffle(files)
        held_out = set(files[: min(HELD_OUT_FILES, len(files) // 10)])
        self.held_out = [operation for operation in operations if operation.file in held_out]
        self.operations = [operation for operation in operations if operation.file not in held_out]
        by_file = collections.defaultdict(list)
        for number, operation in enumerate(self.operations):
            by_file[operation.file].append(number)
        self.siblings = [numbers for numbers in by_file.values() if len(numbers) >= LEAST_SIBLINGS]

    def fit(self, table, held_out):
        """Fits `table` further, in place. Prints the quality on held-out APIs where `held_out` is true."""
        adam = model.Adam(table)
        steps = len(self.operations) // (OF_ALL + OF_SIBLINGS)
        for epoch in range(EPOCHS):
            for step, batch in enumerate(self._batches(steps)):
                parts = [*contrast(*batch, table), self._goal_gradient(table)]
                done = (epoch * steps + step) / (EPOCHS * steps)
                adam.step(*add(parts), RATE * (1 - done) + 1e-5)
            quality = f", {self.quality(table)}" if held_out else ""
            print(f"stage 2, epoch {epoch + 1}{quality}", flush=True)

    def quality(self, table):
        """How well requests find the operations of held-out APIs among each other: the mean of 1 / rank."""
        rng = random.Random(HELD_OUT_SEED)
        requests, tools = self._counts([pairs.of_operation(operation, rng) for operation in self.held_out])
        scores = model.forward(requests, table)[0] @ model.forward(tools, table)[0].T
        ranks = 1 + (scores > scores.diagonal()[:, None]).sum(1)
        return f"mean reciprocal rank among {len(ranks)} operations of held-out APIs {(1 / ranks).mean():.4f}"

    def _counts(self, texts):
        return [model.counts(self.tokenizer, side) for side in zip(*texts, strict=True)]

    def _batches(self, steps):
        """The batches of an epoch: pairs of operations in random order, of siblings, of WordNet; written anew each time."""
        of_operations = self._counts([pairs.of_operation(operation, self.random) for operation in self.operations])
        drawn = self.random.sample(self.synsets, min(len(self.synsets), OF_WORDNET * steps))
        of_synsets = self._counts([pairs.of_synset(synset, self.random) for synset in drawn])
        order = self.numbers.permutation(len(self.operations))
        siblings = self._draw_siblings(OF_SIBLINGS * steps)
        for step in range(steps):
            first, second = part(order, step, OF_ALL), part(siblings, step, OF_SIBLINGS)
            chosen = np.concatenate([first, second])
            sides = zip(of_operations, of_synsets, strict=True)
            batch = [scipy.sparse.vstack([of[chosen], part(words, step, OF_WORDNET)]).tocsr() for of, words in sides]
            some = np.logical_and(*map(model.has_tokens, batch))
            yield [side[some] for side in batch]

    def _draw_siblings(self, count):
        drawn = []
        while len(drawn) < count:
            numbers = self.random.choice(self.siblings)
            drawn += self.random.sample(numbers, min(MOST_SIBLINGS, len(numbers)))
        return np.array(drawn, int)

    def _goal_gradient(self, table):
        batch = self.numbers.integers(0, self.goal.texts.shape[0], GOAL_BATCH)
        return distil.gradient(self.goal, batch, table, GOAL_WEIGHT)


def part(items, step, size):
    """The items of one step."""
    return items[step * size : (step + 1) * size]


def contrast(requests, tools, table):
    """The gradients of the cross-entropy with which each request finds its tool among the batch's, and each tool its request."""
    of_requests, request_lengths = model.forward(requests, table)
    of_tools, tool_lengths = model.forward(tools, table)
    scores = of_requests @ of_tools.T / TEMPERATURE
    gradient = (softmax(scores, 1) + softmax(scores, 0)) / 2
    gradient[np.diag_indices_from(gradient)] -= 1
    gradient /= TEMPERATURE
    yield model.backward(requests, of_requests, request_lengths, gradient @ of_tools)
    yield model.backward(tools, of_tools, tool_lengths, gradient.T @ of_requests)


def softmax(scores, axis):
    """`scores` as shares of 1 along `axis`."""
    shares = np.exp(scores - scores.max(axis, keepdims=True))
    return shares / shares.sum(axis, keepdims=True)


def add(parts):
    """The sum of gradients of different rows."""
    rows = np.unique(np.concatenate([rows for rows, _ in parts]))
    total = np.zeros((len(rows), parts[0][1].shape[1]), np.float32)
    for of, gradient in parts:
        total[np.searchsorted(rows, of)] += gradient
    return rows, total
