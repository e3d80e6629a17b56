"""The texts whose vectors the teacher gives: short ones, of the kinds that requests and tools are made of."""

import random
import re

from sources import first_sentence
from tokens import spaced

SEED = 3
# Animals, parts of bodies, plants, substances: tools are seldom about them.
UNWANTED_SUBJECTS = (5, 8, 20, 27)


def for_teacher(operations, synsets, base_vocabulary, every):
    """The texts, each once. `every` divides the sizes of the samples, as it did those of the sources."""
    rng = random.Random(SEED)
    texts = _of_operations(operations, rng, every) + _of_synsets(synsets, rng, every)
    texts += [token for token in base_vocabulary if re.fullmatch(r"[a-z]{2,}", token)][::every]
    return [text for text in dict.fromkeys(text.strip() for text in texts) if text]


def _draw(rng, items, count):
    return rng.sample(items, min(count, len(items)))


def _of_operations(operations, rng, every):
    def name(operation):
        return spaced(operation.name).lower()

    texts = [(of.summary or first_sentence(of.description) or name(of))[:200] for of in operations]
    texts += [f"{of.api}: {name(of)}"[:160] for of in _draw(rng, operations, 18_000 // every)]
    described = [of for of in operations if len(of.description) > 60]
    texts += [of.description[:300] for of in _draw(rng, described, 14_000 // every)]
    for of in _draw(rng, operations, 8_000 // every):
        texts.append(", ".join(spaced(parameter).lower() for parameter in of.parameters[:6])[:160])
    return texts


def _of_synsets(synsets, rng, every):
    def of(part_of_speech):
        return [synset for synset in synsets if synset.part_of_speech == part_of_speech]

    nouns = [noun for noun in of("noun") if noun.subject not in UNWANTED_SUBJECTS]
    drawn = of("verb") + _draw(rng, nouns, 26_000 // every) + _draw(rng, of("adj"), 7_000 // every)
    texts = []
    for synset in drawn:
        texts += [", ".join(synset.lemmas[:4]), synset.gloss[:200]]
    examples = [example for synset in synsets for example in synset.examples if len(example) > 15]
    return texts + _draw(rng, examples, 15_000 // every)


def for_vocabulary(operations, synsets):
    """The texts whose frequent words become tokens."""
    texts = [f"{of.summary} {of.description} {of.api}" for of in operations]
    return texts + [f"{of.gloss} {' '.join(of.lemmas)}" for of in synsets]
