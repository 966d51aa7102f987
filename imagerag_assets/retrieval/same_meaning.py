"""What a name means by the lists that come with the package: the thesaurus, `things.toml` and the labels' glossary.

Sentence vectors do not know that a landing strip is a runway, or a parkade a parking lot.  Lists do.
"""

from __future__ import annotations

from functools import lru_cache

from imagerag_assets.knowledge.glossary import labels_of
from imagerag_assets.plans.lexicon import is_modifier
from imagerag_assets.plans.thesaurus import look_up
from imagerag_assets.retrieval.things import key, names_by_key, thing_of


@lru_cache(maxsize=4096)
def entry(name: str) -> str:
    """Return the phrase that a name stands for, "runway" for "landing strip"; itself if no list has it."""
    found = look_up(name)
    if found.known:
        return found.look_for
    labels = labels_of(name)
    return look_up(labels[0]).look_for if labels else name


@lru_cache(maxsize=4096)
def meanings(name: str) -> frozenset[tuple[str, str]]:
    """Return the entries of the lists that a name belongs to; of "red ship", which none has so, those of "ship"."""
    forms = {name}
    if key(name) not in names_by_key() and not labels_of(name):
        words = name.lower().split()
        while len(words) > 1 and is_modifier(words[0]):
            words = words[1:]
        forms.add(" ".join(words))
    phrases = {entry(form) for form in forms} | {look_up(label).look_for for form in forms for label in labels_of(form)}
    known = {names_by_key()[key(form)] for form in forms if key(form) in names_by_key()}
    return frozenset({("thesaurus", each) for each in phrases} | {("things", thing_of()[each]) for each in known})
