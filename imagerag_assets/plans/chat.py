"""The short forms of chats, and contractions without their apostrophe, written out."""

from __future__ import annotations

import re

_FORMS = {
    "whats": "what is", "what's": "what is", "wheres": "where is", "where's": "where is", "theres": "there is",
    "there's": "there is", "thats": "that is", "isnt": "is not", "arent": "are not", "dont": "do not",
    "doesnt": "does not", "cant": "can not", "cannot": "can not", "hasnt": "has not", "havent": "have not",
    "im": "i am", "i'm": "i am", "youre": "you are", "u": "you", "r": "are", "ur": "your", "pls": "please",
    "plz": "please", "thx": "thanks", "gimme": "give me", "lemme": "let me", "wat": "what", "wut": "what",
    "abt": "about", "howmany": "how many", "hows": "how is", "it's": "it is", "who's": "who is", "how's": "how is",
    "isn't": "is not", "aren't": "are not", "don't": "do not", "doesn't": "does not", "can't": "can not",
    "wasn't": "was not", "weren't": "were not", "hasn't": "has not", "haven't": "have not", "won't": "will not",
    "hw": "how", "ar": "are",
    "meny": "many", "thier": "their", "ther": "there", "wer": "where", "lol": "", "cuz": "because", "gotta": "have to",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_WHERE = re.compile(r"^(?:were|wear|ware|we're) (?=(?:is|are|the|can|do)\b)")
_YES_OR_NO = re.compile(r"^(?!is |are |do |does |can |has |have |there )([^,:?-]+?)\s*[,:–-]*\s*yes or no\W*$")


def written_out(text: str) -> str:
    """Return a text in lower case with its short forms written out: "r u" as "are you", "were are" as "where are"."""
    text = _WORD.sub(lambda match: _FORMS.get(match[0], match[0]), text.replace("’", "'"))
    text = _WHERE.sub("where ", " ".join(text.split()))
    return _YES_OR_NO.sub(r"is there \1", text)
