"""Stage 2's pairs: a request as people write one, and the words of the tool that it means.

The request is made of one part of an operation's description and the tool's text of the others, so that the same words
are not simply found again. Synsets of WordNet pair words of one meaning, and words with what they mean.
"""

import re

from sources import first_sentence
from tokens import spaced

FRAMES = (
    "{}",
    "{}",
    "{}",
    "{}.",
    "Please {}.",
    "Can you {}?",
    "Could you please {} for me?",
    "I need to {}.",
    "I want to {}.",
    "I'd like to {}.",
    "help me {}",
    "{} please",
    "I am working on a project and need to {}. Can you help me with that?",
    "How do I {}?",
    "Would it be possible to {}?",
    "I'm planning something for my friends and want to {}.",
    "My company wants to {}. Could you assist?",
    "Hey, {} right now",
    "We have to {} before the meeting tomorrow.",
    "I'm curious, can you {}? Thanks!",
    "What is the result if I {}?",
    "Show me: {}",
    "For my research I have to {}. Please provide the details.",
    "{} as soon as possible",
    "Let's {}",
    "Is there a way to {}?",
    "i need {}",
    "Find a tool to {}",
    "I am trying to {} so that my team knows.",
    "Kindly {} and let me know the outcome.",
    "Use the tool to {}.",
    "As a user I would like to know how to {}",
)
"""What is round the wish. A frame that stands here four times is used four times as often."""
TAILS = (
    "",
    "",
    "",
    "",
    "",
    " for {}",
    " named {}",
    " with id {}",
    " in {}",
    " from {}",
    " on {}",
    " called '{}'",
    " of {} and {}",
    " using {}",
    " to {}",
    " between {} and {}",
    " at {}",
    " by {}",
)
"""How values follow the wish."""
VALUES = (
    "Alice", "Bob", "Maria Garcia", "Dr. Chen", "acme-corp", "project-x", "my-app", "main", "production", "staging", "demo",
    "test123", "Q3 report", "invoice 4711", "Berlin", "Paris", "New York", "Tokyo", "San Francisco", "London", "Lisbon",
    "Germany", "Japan", "Apple", "Tesla", "BTC", "USD", "euros", "2023-05-01", "next Friday", "tomorrow at 3pm", "last week",
    "id 12345", "user42", "order 9981", "#general", "foo@example.com", "'hello world'", "42", "100", "3.5", "John Smith",
    "the blue one", "room 12", "/tmp/data.csv", "https://example.com", "en", "English", "Spanish", "abc-def", "SKU-778",
    "my-bucket", "us-east-1", "v2",
)  # fmt: skip
"""Values as requests have them, which tell nothing of the tool."""
VERBS = (
    "Gets", "Lists", "Creates", "Deletes", "Updates", "Returns", "Retrieves", "Removes", "Adds", "Describes", "Sets",
    "Sends", "Starts", "Stops", "Modifies", "Enables", "Disables", "Searches", "Finds", "Generates", "Provides",
    "Associates", "Attaches", "Cancels", "Changes", "Checks", "Copies", "Converts", "Fetches", "Imports", "Exports",
    "Registers", "Puts", "Queries", "Runs", "Validates", "Uploads", "Downloads",
)  # fmt: skip
"""How descriptions begin that tell what a tool does."""
THIRD_PERSON = re.compile(rf"({'|'.join(VERBS)})\b")


def of_operation(operation, rng):
    """A request and the text of the tool, from an operation's description."""
    wish, body = _cut(operation, rng)
    name = _shown_name(operation)
    # The order of the draws is part of the recipe: another one makes another table.
    shown = "" if rng.random() < 0.12 else name
    api = operation.api if rng.random() < 0.8 else ""
    parameters = ", ".join(operation.parameters[:8]) if rng.random() < 0.8 else ""
    tool = f"{api} {shown}. {body[:400]}. {parameters}"
    if len(wish) < 8 or "/" in wish or "{" in wish:
        wish = spaced(name)
    prefix = f"{operation.api} " if rng.random() < 0.15 else ""
    return prefix + _request(wish[:200], rng), tool


def of_synset(synset, rng):
    """Two lemmas, an example and what it shows, or a lemma and its gloss."""
    lemma, kind = rng.choice(synset.lemmas), rng.random()
    if len(synset.lemmas) > 1 and kind < 0.45:
        return lemma, rng.choice([other for other in synset.lemmas if other != lemma])
    if synset.examples and kind < 0.6:
        return rng.choice(synset.examples), f"{', '.join(synset.lemmas)}: {synset.gloss[:120]}"
    return lemma, synset.gloss[:160]


def _cut(operation, rng):
    """What the request is made of, and what is left for the tool's text."""
    summary, description = operation.summary, operation.description
    first = first_sentence(description)
    if summary and description and _plain(summary) != _plain(description):
        if rng.random() < 0.7:
            return summary, description
        return first, summary if rng.random() < 0.5 else description[len(first) :]
    text = summary or description
    first = first_sentence(text)
    rest = text[len(first) :].strip()
    if not rest or rng.random() < 0.3:
        rest = first if rng.random() < 0.35 else ""
    return first, rest


def _plain(text):
    return text.lower().rstrip(".")


def _shown_name(operation):
    """The operation's name as a tool has it: without the namespaces and the method that generators put before it."""
    name = operation.name if operation.name and len(operation.name) < 60 else operation.path
    if name.count(".") > 1:
        name = " ".join(name.split(".")[-2:])
    return re.sub(r"^(GET|POST|PUT|DELETE|PATCH)_(?=[A-Z])", "", name)


def _request(text, rng):
    """`text` as a wish: in the imperative, sometimes only a part of it, with values and in a frame."""
    text = _imperative(text)
    if rng.random() < 0.25:
        text = _part(text.split(), rng)
    text += rng.choice(TAILS).format(rng.choice(VALUES), rng.choice(VALUES))
    return rng.choice(FRAMES).format(text) if rng.random() < 0.6 else text


def _part(words, rng):
    length = max(2, int(len(words) * rng.uniform(0.4, 0.9)))
    start = rng.randrange(0, max(1, len(words) - length + 1))
    return " ".join(words[start : start + length])


def _imperative(text):
    """`Lists all pets.` becomes `list all pets`."""
    found = THIRD_PERSON.match(text)
    if found:
        text = _stem(found.group(1)) + text[found.end() :]
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _stem(verb):
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if re.search(r"(ch|sh|ss|x)es$", verb) else verb[:-1]
