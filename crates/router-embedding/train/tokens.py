"""Texts to tokens, exactly as `src/pieces.rs` and `src/wordpiece.rs` make them.

A table is good only for the tokens that it was fitted to, so this file and those two must agree; `tests/tokens.json` holds both to it.
`python tokens.py fixture` writes the tokens of that file's texts anew.
"""

import collections
import json
import re
import sys
import unicodedata
from pathlib import Path

import teacher

FIXTURE = Path(__file__).resolve().parent.parent / "tests" / "tokens.json"
MAX_WORD = 64
"""The longest word that is looked up, in characters."""
MAX_TOKENS = 512
"""The most tokens of one text. No text of the recipe comes near."""
MAX_NEW_WORDS = 9000
MIN_COUNT = 10
"""How often a word must occur in the texts to become a token of its own."""

# One letter per character, its class: U(pper), L(ower), s, D(igit), C(JK), M(ark), _ (no part of a word). In turn: the plural of an
# acronym (IDs), an acronym before a word (HTTP in HTTPServer), a word, an acronym, digits, one ideograph.
PIECE = re.compile(r"(?:UM*){2,}s(?!L)|(?:UM*)+(?=UM*[Ls])|(?:UM*)?(?:[Ls]M*)+|(?:UM*)+|(?:DM*)+|CM*")
IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


def char_class(char):
    """The class of a character, as PIECE spells it."""
    if char == "s":
        return "s"
    if any(first <= ord(char) <= last for first, last in IDEOGRAPHS):
        return "C"
    if char.isnumeric():
        return "D"
    if char.isalpha():
        return "U" if char.isupper() else "L"
    return "M" if is_mark(char) else "_"


def is_mark(char):
    """Whether `char` combines with the one before it."""
    return unicodedata.category(char)[0] == "M"


def pieces(text):
    """The words of `text` and the parts of its identifiers, in order."""
    text = unicodedata.normalize("NFC", text)
    classes = "".join(map(char_class, text))
    return [text[found.start() : found.end()] for found in PIECE.finditer(classes)]


def spaced(text):
    """`text` with a space between its pieces: `createIssue` becomes `create Issue`."""
    return " ".join(pieces(text))


def fold(piece):
    """A piece as the table spells it: lower case, without marks on letters."""
    return "".join(char for char in unicodedata.normalize("NFD", piece.lower()) if not is_mark(char))


class Tokenizer:
    """Splits texts by a vocabulary: always the longest token that fits; a word that does not match wholly gives none."""

    def __init__(self, vocabulary):
        self.numbers = {token: number for number, token in enumerate(vocabulary)}
        self.known = {}

    def word(self, piece):
        """The tokens of one piece."""
        if piece not in self.known:
            self.known[piece] = self._split(fold(piece))
        return self.known[piece]

    def _split(self, word):
        if len(word) > MAX_WORD:
            return []
        tokens, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if mark + word[start:end] in self.numbers), None)
            if end is None:
                return []
            tokens.append(self.numbers[mark + word[start:end]])
            start = end
        return tokens

    def __call__(self, text):
        """The tokens of a text."""
        return [token for piece in pieces(text) for token in self.word(piece)][:MAX_TOKENS]


def vocabulary(base, texts):
    """The plain ASCII tokens of the teacher, and the words that `texts` often have and the teacher has only in parts."""
    kept = [token for token in base if re.fullmatch(r"(##)?[a-z0-9]+", token)]
    tokenizer, counts = Tokenizer(kept), collections.Counter()
    for text in texts:
        counts.update(fold(piece) for piece in pieces(text) if len(piece) > 2 and len(tokenizer.word(piece)) != 1)
    often = (word for word, count in counts.most_common(MAX_NEW_WORDS) if count >= MIN_COUNT)
    return kept + [word for word in often if re.fullmatch(r"[a-z]{3,}", word)]


def write_fixture():
    """Renews `tests/tokens.json`: its texts stay, its vocabulary grows by what they need of the teacher's."""
    fixture = json.loads(FIXTURE.read_text(encoding="utf-8"))
    base = teacher.base_vocabulary()
    texts = [text for text, _ in fixture["texts"]]
    whole = Tokenizer(base)
    needed = {base[token] for text in texts for token in whole(text)} | set(fixture["vocabulary"])
    kept = [token for token in base if token in needed]
    tokenizer = Tokenizer(kept)
    rows = ",\n    ".join(json.dumps([text, [kept[token] for token in tokenizer(text)]]) for text in texts)
    FIXTURE.write_text(f'{{\n  "vocabulary": {json.dumps(kept)},\n  "texts": [\n    {rows}\n  ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["fixture"]:
        sys.exit("usage: python tokens.py fixture")
    write_fixture()
