"""What cannot be planned, said in one sentence with the nearest question that can be answered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from imagerag_assets.plans import lexicon
from imagerag_assets.plans.plan import Thing
from imagerag_assets.plans.things import is_known
from imagerag_assets.plans.wording import article, is_plural

_STOPWORDS = {
    "German": """
        der die das und ist sind wo wie viele gibt es ein eine einen im auf nicht von mit zeig zeige mir welche
        hier was zum zur kein keine des dem den liegt befindet sich bitte flugzeuge schiffe""",
    "French": """
        le la les des est sont où ou combien une dans sur il elle y a-t-il avec pas de du et montre montrez moi
        quelle quels quelles se trouvent trouve cette ce y-a-t-il quel qu est-ce que image ici""",
    "Spanish": """
        el la los las es son está están dónde donde cuántos cuantos cuántas cuantas hay una un en de con no del
        y muestra muestrame qué que cual cuáles aquí este esta barcos""",
    "Italian": """
        il lo la gli le è sono dove quanti quante c'è ci una un nel nella di con non del della e mostra mostrami
        che quale quali qui questa questo si trova trovano""",
    "Portuguese": """
        o os as é são onde quantos quantas há uma um em no na de com não do da e mostre mostra que qual quais
        aqui esta este ficam está""",
    "Dutch": """
        de het een is zijn waar hoeveel er in op met niet van en toon laat zien mij welke hier wat zich staat
        staan liggen ligt geen""",
    "Polish": """
        gdzie jest są ile czy w na z nie i pokaż mi które jaki jakie się znajduje znajdują tutaj to co statków""",
    "Swedish": """
        var är hur många finns det en ett i på med inte av och visa mig vilka här vad""",
    "Danish or Norwegian": """
        hvor er mange hvordan finnes findes det en et på med ikke av af og vis meg mig hvilke her hva hvad""",
    "Turkish": """
        nerede kaç tane var mı mi bir ve bu ne hangi göster bana burada yok kaçtane gemi uçak""",
    "Indonesian": """
        di mana ada berapa apakah yang dan ini itu dengan tidak tunjukkan kapal pesawat dimana""",
    "Finnish": """
        missä on kuinka monta onko ja ei näytä mikä mitä tämä""",
    "Czech": """
        kde je jsou kolik v na s ne a ukaž mi které co tady zde""",
    "Romanian": """
        unde este sunt câte cati câți în pe cu nu de și arată mi care ce aici""",
    "Hungarian": """
        hol van vannak hány és nem mutasd melyik mi itt egy az""",
    "Vietnamese": """
        ở đâu có bao nhiêu không và này là gì""",
}
_LANGUAGES = {name: frozenset(text.split()) for name, text in _STOPWORDS.items()}
_SCRIPTS = {
    "CYRILLIC": "Cyrillic",
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "ARABIC": "Arabic",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "DEVANAGARI": "Devanagari",
    "THAI": "Thai",
    "BENGALI": "Bengali",
    "TAMIL": "Tamil",
    "GEORGIAN": "Georgian",
    "ARMENIAN": "Armenian",
}
_ENGLISH = (lexicon.FUNCTION | lexicon.VERBS | lexicon.META | lexicon.ASKED) - lexicon.words(
    "a i es in on s t me no de la var die are do it an as is image so to by"
)
"""Small English words that are none of another language."""
_BOTH = lexicon.words("is it in on an as to so by was also a i are")
"""Small words of other languages that may as well be English."""
_INJECTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.?!]{0,40}\b(?:instructions?|everything|above|"
    r"previous|prior|rules|prompts?|guidelines|all)\b"
    r"|\bsystem prompt\b|\byou are now\b|\bact as (?:a|an|if)\b|\bpretend (?:to be|you)\b|\b(?:reply|"
    r"respond|answer) (?:only )?with\b|\boutput (?:the|your|only)\b"
    r"|\b(?:delete|drop|truncate|erase|remove) (?:all|the|every|table|tables|scenes?|collections?|"
    r"database|files?|everything)\b|<\s*/?\s*(?:script|system|assistant|user|img|iframe)\b|\bapi[ "
    r"_-]?keys?\b|\bpasswords?\b"
    r"|\b(?:select|insert|update)\b .{1,40}\b(?:from|into|set)\b .{0,40}(?:;|where|values)|\brm -rf\b|"
    r"\bos\.system\b|\bimport os\b|\bprint your\b|\bjailbreak\b|\bdeveloper mode\b|\bsudo\b|"
    r"\{\{.*\}\}|\[\[?(?:inst|system)\b|```",
    re.IGNORECASE,
)
_RUDE = re.compile(
    r"\b(?:stupid|idiot\w*|dumb\w*|moron\w*|useless|fuck\w*|shit\w*|crap\w*|suck|sucks|bastard\w*|"
    r"damn\w*|hell|asshole\w*|loser\w*|garbage|pathetic|worthless|hate you|jerk\w*|imbecile\w*|"
    r"bitch\w*|arse\w*|bloody|wanker\w*|trash)\b"
)
_TASK = re.compile(
    r"\b(?:restrict|limit|confine|keep) yourself\b|\byour (?:answer|estimate|guess|figure|count|view|opinion|take)\b"
)
_TO_YOU = re.compile(r"^you\b|\bare you\b|\byou are\b|\b(?:your|yours|yourself|ur)\b|\byou (?:suck|know nothing)\b")
_INTERJECTION = re.compile(r"^(?:why|when)\s*,\s*")
_IS_AHEAD = re.compile(
    r"^who(?:'s| is)? (?:wins?|winning|leads?|leading|ahead|higher|lower|has more|have more|comes out)\b"
)
_NOT_SEEN = re.compile(r"^(?:who|whom|whose|why|when)\b")
_OFF = re.compile(
    r"\b(?:weather|forecast|joke|recipe|president|prime minister|capital (?:city )?of|meaning of|song|"
    r"poem|story|euros?|dollars?|price|prices|cost|costs|buy|sell|book a|tickets?|translate|what "
    r"time|how old|"
    r"population|owner|owns|owned|belongs? to|stock market|bitcoin|world cup|football match|movie|"
    r"film|email|homework|essay|code|python|sing|poetry|dance|world war|century|invented|wrote|author|"
    r"born|died|tomorrow|temperature|"
    r"your name|are you|do you feel|marry|calculate|divided by|multiplied|times \d|plus \d|minus \d|"
    r"(?:safe|allowed|legal|illegal|permitted|forbidden|dangerous|worth|worthwhile) (?:to|an?)|"
    r"square root|\d+ ?[*x×/+] ?\d+)\b"
)

_PICTURE = r"(?:picture|image|photo|photograph|scene|shot|view|map)"
_OF_RECORD = re.compile(
    rf"\b(?:when|(?:what|which) (?:date|day|month|year|time)) (?:was|is|were|did)\b.*\b(?:{_PICTURE}|taken|acquired|shot|from)\b"
    r"|\b(?:what|which) (?:satellite|sensor|camera|drone|instrument|country|continent|state|region of the world)\b"
    r"|\b(?:resolution|pixel size|ground sampl\w+|gsd|cloud cover|how cloudy)\b"
    rf"|\bcoordinates? of (?:the|this) (?:centre|center|middle|corners?|{_PICTURE})\b"
    rf"|\bhow (?:big|large) is (?:the|this) (?:whole |entire )?(?:area|{_PICTURE})(?: shown| covered)?$"
    r"|\bwhere (?:on earth|in the world)\b"
    rf"|^(?:is|are|was) (?:this|it|we|that|(?:the|this) {_PICTURE}) (?:taken |located |somewhere |still )?in (?!the |a )[a-z' -]+$"
)
"""Asks what the record of a scene says, and its picture does not."""
_FRAME = re.compile(r"\bhow many\b|\bwhere (?:is|are)\b|\b(?:is|are) there\b|\bcount\b")

EXAMPLE = "'Where are the ships?' or 'How many storage tanks are there?'"


def foreign(text: str, tokens: Sequence[str]) -> str | None:
    """Return one sentence if a question is not in English."""
    letters = [character for character in text if character.isalpha()]
    other = [character for character in letters if not _is_latin(character)]
    if letters and len(other) * 2 > len(letters):
        return f"The question seems to be in {_script(other)} script; ask it in English, for example {EXAMPLE}"
    plain = [token for token in tokens if token[0].isalpha()]
    if not plain:
        return None
    counts = {name: len(stop.intersection(plain)) for name, stop in _LANGUAGES.items()}
    name = max(counts, key=counts.__getitem__)
    own = _LANGUAGES[name].intersection(plain) - _BOTH
    english = sum(token in _ENGLISH for token in plain)
    accents = sum(any(unicodedata.decomposition(character) for character in token) for token in plain)
    signs = 2 * ("¿" in text or "¡" in text)
    if (
        (own or accents or signs)  # "is it in Holland?" has no word that English lacks
        and counts[name] >= 1
        and counts[name] + accents + signs >= max(2, english + 1)
        and (counts[name] + accents + signs) * 3 >= len(plain)
    ):
        return f"The question seems to be in {name}; ask it in English, for example {EXAMPLE}"
    return None


def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith("LATIN")


def _script(characters: Sequence[str]) -> str:
    first = unicodedata.name(characters[0], "").split(" ")[0].split("-")[0]
    kinds = {unicodedata.name(character, "").split(" ")[0] for character in characters}
    if kinds & {"HIRAGANA", "KATAKANA"}:
        return "Japanese"
    return _SCRIPTS.get(first, "another")


def is_order(text: str) -> bool:
    """Return whether a sentence gives orders to the program rather than asking about imagery."""
    return bool(_INJECTION.search(text))


def without_orders(text: str) -> str:
    """Return a text without the sentences that give orders to the program."""
    return " ".join(part for part in re.split(r"(?<=[.?!;])\s+|\n", text) if not is_order(part)).strip()


def not_about_imagery(text: str, things: Sequence[Thing]) -> str | None:
    """Return one sentence if a clause asks what no picture from above can show.

    Args:
        text: The clause in lower case.
        things: What it names.
    """
    known = [thing for thing in things if is_known(thing)]
    text = _INTERJECTION.sub("", text)
    if _OF_RECORD.search(text) and not known:
        return (
            "When, where and how finely a scene was taken is not read from its picture; its record says it "
            "(imagerag scenes show SCENE)"
        )
    if _RUDE.search(text) and (_TO_YOU.search(text) or not known):
        return f"This is no question about the imagery; {nearest_question(())}"
    if _NOT_SEEN.search(text) and not _IS_AHEAD.search(text):
        return f"Who, why and when cannot be seen from above; {nearest_question(known)}"
    if _OFF.search(text) and not _FRAME.search(text):
        return f"This cannot be read from imagery; {nearest_question(known)}"
    if _TO_YOU.search(text) and not known and not _TASK.search(text):
        return f"This is no question about the imagery; {nearest_question(())}"
    return None


_NOT_MEASURED: dict[str, re.Pattern[str]] = {
    "length": re.compile(r"\bhow (?:long|lengthy)\b|\b(?:length|perimeter)\b|\blongest\b|\bshortest\b"),
    "width": re.compile(r"\bhow (?:wide|broad|narrow)\b|\bwidth\b|\bwidest\b|\bnarrowest\b"),
    "height": re.compile(r"\bhow (?:tall|high)\b|\b(?:height|elevation|altitude)\b|\btallest\b|\bhighest\b"),
    "depth": re.compile(r"\bhow deep\b|\bdepth\b|\bdeepest\b"),
    "weight": re.compile(r"\bhow heavy\b|\bweight\b|\bheaviest\b"),
    "age": re.compile(r"\bhow old\b|\bthe age of\b|\boldest\b|\bnewest\b"),
    "speed": re.compile(r"\bhow fast\b|\bspeed\b|\bfastest\b"),
    "size": re.compile(
        r"\b(?:larger|bigger|smaller|wider|longer|taller|higher) than (?:about )?\d|\bhow (?:big|large|small|huge)\b(?! an? (?:area|share|part))|\bsizes?\b|\bdimensions?\b|\bdiameter\b|"
        r"\b(?:largest|biggest|smallest)\b"
    ),
}
_PARTS_OF_ONE = re.compile(
    r"\bhow many (?P<parts>lanes|storeys|stories|floors|levels|windows|doors|rooms|engines|wings|wheels|seats|arches|"
    r"spans|carriages|masts)\b.*\b(?:do|does|has|have|is|are|of|on|in)\b"
)
"""What single things have a number of, too fine for what is looked for here."""
_LOOKS = re.compile(r"\b(?:colou?rs?|shapes?|materials?|what kind|which kind|what type)\b")
_LENGTH_OF = re.compile(r"\bhow many (?:met(?:er|re)s|kms?|kilomet(?:er|re)s|miles|feet|yards) of\b")


def not_measured(text: str, things: Sequence[Thing]) -> str | None:
    """Return one sentence if a clause asks for a length, height, age, ... of one thing: none of them is measured.

    Args:
        text: The clause in lower case.
        things: What it names.
    """
    parts = _PARTS_OF_ONE.search(text)
    if parts is not None and (whole := [thing for thing in things if thing.name not in parts["parts"]]):
        return f"The number of {parts['parts']} of a single {whole[-1].name} is not measured here"
    if len(things) != 1 or re.search(r"\bhow (?:far|long (?:a |of a |is the )?(?:walk|drive|way|trip|ride))\b", text):
        return None
    asked = next((name for name, words in _NOT_MEASURED.items() if words.search(text)), None)
    if asked == "size" and _LOOKS.search(text):
        return None  # "which colour has the largest roof?"
    if (asked is None and not _LENGTH_OF.search(text)) or (asked == "size" and things[0].phrase in lexicon.COVERS):
        return None
    return f"The {asked or 'length'} of a single {things[0].name} is not measured here"


def nearest_of_what(to: str | None) -> str:
    """Return one sentence for "what is farthest from the lake?" and "what is nearest?"."""
    place = to or "the river"
    return (
        "The nearest or farthest one can be computed of one kind of thing, and to another; "
        f"ask, for example, 'Which ship is nearest to {place}?' or 'Which ship is farthest from {place}?'"
    )


def nearest_question(known: Sequence[Thing]) -> str:
    """Return the nearest question that can be answered, as the end of a sentence."""
    if not known:
        return f"ask, for example, {EXAMPLE}"
    name = known[0].name
    be = "are" if is_plural(name) else "is"
    return f"ask, for example, 'Where {be} the {name}?' or '{be.capitalize()} there {article(name)}?'"
