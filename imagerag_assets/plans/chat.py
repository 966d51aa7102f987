"""The short forms of chats, and contractions without their apostrophe, written out."""

from __future__ import annotations

import re

SHORT_FORMS = {
    "whats": "what is", "what's": "what is", "wheres": "where is", "where's": "where is", "theres": "there is",
    "there's": "there is", "thats": "that is", "isnt": "is not", "arent": "are not", "dont": "do not",
    "doesnt": "does not", "didnt": "did not",
    "wasnt": "was not", "werent": "were not", "wont": "will not", "couldnt": "could not", "cant": "can not",
    "cannot": "can not", "hasnt": "has not", "havent": "have not", "pic": "picture", "pics": "pictures", "fo": "of",
    "ot": "to", "tel": "tell", "kinda": "kind of", "theyre": "they are", "yo": "", "hiya": "", "heya": "", "dude": "", "bro": "", "lmao": "", "haha": "", "tbh": "", "imo": "", "imho": "", "rly": "really", "innit": "", "nope": "", "nah": "", "y'all": "you all", "yall": "you all", "huh": "", "eh": "",
    "im": "i am", "i'm": "i am", "youre": "you are", "u": "you", "r": "are", "ur": "your", "pls": "please",
    "plz": "please", "thx": "thanks", "gimme": "give me", "lemme": "let me", "wat": "what", "wut": "what",
    "abt": "about", "howmany": "how many", "hows": "how is", "it's": "it is", "who's": "who is", "how's": "how is",
    "isn't": "is not", "aren't": "are not", "don't": "do not", "doesn't": "does not", "can't": "can not",
    "wasn't": "was not", "weren't": "were not", "hasn't": "has not", "haven't": "have not", "won't": "will not",
    "hw": "how", "ar": "are",
    "yeah": "", "yep": "", "b4": "before", "asap": "", "ta": "", "cheers": "", "ty": "", "tia": "", "thnx": "thanks", "tx": "thanks", "btw": "", "fyi": "",
    "meny": "many", "thier": "their", "ther": "there", "wer": "where", "lol": "", "cuz": "because", "gotta": "have to",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_WHERE = re.compile(r"(?:^|(?<=[,;:?] )|(?<= and ))(?:were|wear|ware|we're) (?=(?:is|are|the|can|do)\b)")
_THAN = re.compile(
    r"(\b(?:more|fewer|less|larger|bigger|smaller|greater)\b[^?!.;,]*?) then "
    r"(?!tell|show|say|how|where|what|give|count)"
)
_MARK = re.compile(
    r"\b(?:(?:put|draw|place|add|make) (?:me )?(?:an? |the |some )?"
    r"(?:box|circle|ring|rectangle|frame|pin|marker|outline)(?:e?s)? (?:a?round|on|over)|put (?:your|a) finger on|"
    r"(?:direct|draw) (?:me|us|my eye|my attention|our attention) to)\b"
)
_TRACK = re.compile(r"\b(?:lost|lose|losing|keep|keeping|kept) track of\b")
_NEAR = re.compile(
    r"\b(?:within )?(?:a )?(?:stone's throw|walking distance|short walk|easy reach|shouting distance) (?:of|from|to)\b"
    r"|\bright next to\b"
)
_LETTERED = re.compile(r"\((?:[a-d]|i{1,3}|iv|[1-4])\)|(?:^|(?<= ))[a-d]\) ")
_MOST = re.compile(
    r"\b(?:which|what) ([a-z' -]+?) (?:is|are|lies|sits|stands) (?:the )?"
    r"((?:north|south|east|west|left|right|top|bottom|upper|lower)(?:ern)?-?most)\b"
)
_SAY_YES = re.compile(r"\b(?:say|answer|tell me|reply|write|tick|put) (?:yes|y|true) (?:if|when|in case) ")
_IF_NOT = re.compile(r",? (?:and|or|but) (?:no|n|false) (?:if|when|in case) [^?.!]*|,? (?:and|or) no otherwise\b")
_SEE = re.compile(r"\b(you|i|we|can|could) sea\b")
_MIGHT = re.compile(r"^(?:might|may|could|would|should) there (?:possibly |perhaps |maybe )?be\b")
_FOR = re.compile(r"\b4 (?=(?:me|us|you|my|our|the)\b)")
_ETC = re.compile(
    r"(?:,|\band\b|\bor\b|\s)*\b(?:etc\b\.?|etcetera\b|et cetera\b|and so (?:on|forth)\b|and the like\b|and suchlike\b)"
)
_YES_OR_NO = re.compile(r"^(?!is |are |do |does |can |has |have |there )([^,:?-]+?)\s*[,:–-]*\s*yes or no\W*$")


_POINTS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_NOUNS = r"(?:half|part|side|end|edge|corner|quarter|quadrant|third|section|area|bank|shore)"
_POINT = re.compile(
    r"\b(?:[NS][EW](?![a-z])|(?:[NS][EW]|[NSEWnsew])(?= of\b)|(?:ne|nw|se|sw)(?= of\b)"
    rf"|[NSEW](?= {_NOUNS}\b)|(?<=\bin the )[NSEW]\b(?!\w))\b(?!\.\w)"
)


def with_compass_words(text: str) -> str:
    """Return a text with points of the compass written out: "SW of the lake" as "south-west of the lake"."""
    return _POINT.sub(lambda found: "-".join(_POINTS[letter] for letter in found[0].upper()), text)


def written_out(text: str) -> str:
    """Return a text in lower case with its short forms written out: "r u" as "are you", "were are" as "where are"."""
    text = _WORD.sub(lambda match: SHORT_FORMS.get(match[0], match[0]), text.replace("’", "'"))
    text = _SEE.sub(r"\1 see", _WHERE.sub("where ", " ".join(text.split())))
    text = _MARK.sub("mark ", _IF_NOT.sub("", _SAY_YES.sub("is it true that ", text.replace("y/n", "yes or no"))))
    text = _LETTERED.sub(" ", text).replace(" n ", " and ").replace("home to", "with").strip()
    text = _NEAR.sub("near", _TRACK.sub(" ", re.sub(r"\bput (?:in|up) (?=an?|the|any)", "built ", text)))
    text = _MIGHT.sub("is there", _FOR.sub("for ", text))
    text = _MOST.sub(r"where is the \2 \1", text)
    text = _ETC.sub("", _THAN.sub(r"\1 than ", text))
    return _YES_OR_NO.sub(r"is there \1", text)
