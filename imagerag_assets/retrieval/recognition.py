"""Whether an encoder can tell a word from others: measured for each encoder and word.

The measures, the surest first.

- **Pictures.**  For words whose pictures are known, the area under the ROC curve (AUC) of the word's similarity to them
  against its similarity to other pictures: from the table that is packaged with an encoder (`weights/recognition/`),
  and from exemplars of the knowledge base.
- **Likeness.**  For other words, with such a table: whether a word is nearer in meaning to words that the encoder was
  measured to tell apart than to the rest of what overhead imagery shows (`things.toml`).
- **The text tower**, for encoders without a table: whether a word differs from other things by more than from itself in
  other words.  This refuses only what the tower confuses outright.
- **The user's imagery**, for the same encoders, once `imagerag calibrate` was run: whether some patch is more like the
  word than patches are like nonsense (`word_reach.py`).

A phrase that the knowledge base has pictures of is known through these, whatever the encoder makes of its words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from imagerag_assets.errors import FingerprintError
from imagerag_assets.installation.platform import Deps
from imagerag_assets.knowledge.search import SAME_WORDS, exemplars, open_knowledge, search_texts
from imagerag_assets.plans.lexicon import is_modifier
from imagerag_assets.retrieval.background import PROMPTS, SAME_THING, applies, background_vectors
from imagerag_assets.retrieval.measured_words import GOOD_AUC, Measured, measured_words
from imagerag_assets.retrieval.slow import LABEL_FLOOR
from imagerag_assets.retrieval.things import key, name_vectors, names_by_key, thing_of
from imagerag_assets.retrieval.word_reach import Reaches, load_reaches, reaches

if TYPE_CHECKING:
    from imagerag_assets.knowledge.types import Current, KnowledgeKind
    from imagerag_assets.stores.milvus import Hit

ENOUGH = 0.25
"""Least probability that a word without pictures names something that the encoder knows.  Fitted by leaving out each of
900 names: .70 of known names pass, and .06 of names of other things (.10 where the other names of the thing are left
out too, .20 where all names of a measured thing are)."""
ENOUGH_WITH_HEAD = 0.1
"""The same, where the last word alone is known ("passenger jets")."""
_LIKENESS, _LEAD, _BIAS = 8.0, 9.4, -7.4  # logistic regression of the same fit, n 1777
_TOP = 3  # names that the lead is averaged over
_EXEMPLARS_NEEDED, _OTHER_LABELS = 5, 24
_CAPTION_SAYS_IT = 0.6

By = Literal["pictures", "likeness", "text", "imagery", "knowledge"]
Opened = Callable[["KnowledgeKind"], "Current | None"]


@dataclass(frozen=True)
class Recognition:
    """Whether an encoder recognises what a phrase names."""

    phrase: str
    known: bool
    score: float
    """0 to 1: the AUC, or the probability that the phrase names something that the encoder knows."""
    nearest: str
    """The thing that the encoder would take it for."""
    by: By
    """What says so; ``imagery``: the scores on the installation's scenes; ``knowledge``: only exemplars of the
    knowledge base do."""
    encoder: str
    """The encoder's name."""

    @property
    def sentence(self) -> str:
        """What a person reads of a phrase that is not recognised."""
        other = "words that mean nothing, in the scenes here" if self.by == "imagery" else repr(self.nearest)
        return (
            f"The encoder {self.encoder!r} cannot tell {self.phrase!r} from {other}: show it an example with "
            "--like, or add it to the knowledge base"
        )


def recognition(
    deps: Deps,
    phrases: Sequence[str],
    *,
    words: Mapping[str, str] | None = None,
    opened: Opened | None = None,
    collection: str = "patches",
) -> dict[str, Recognition]:
    """Decide which phrases the installation's encoder, or its knowledge base, recognises.

    Args:
        deps: The installation.
        phrases: What to look for.
        words: Other words that the encoder gets for a phrase (`knowledge.search.names_of`).
        opened: Opens a knowledge base; default: `knowledge.search.open_knowledge`, none where only another encoder has
            one.
        collection: Name or alias of the patch collection that the words are looked for in.

    Raises:
        StoreError: Milvus or the object store fails.
        EncoderError: a phrase cannot be embedded.
    """
    table = measured_words(deps.encoder.fingerprint)
    texts = {phrase: (words or {}).get(phrase, phrase) for phrase in phrases}
    open_one = opened or _opener(deps)
    measured = load_reaches(deps.store, deps.encoder.fingerprint) if table is None and texts else None
    found = {}
    for phrase, text in texts.items():
        if table is None:
            judged = _by_imagery(deps, _by_text(deps, phrase, text), text, measured, collection)
        else:
            judged = _by_table(deps, table, phrase, text)
        found[phrase] = _with_knowledge(deps, open_one, judged, text)
    return found


def _by_table(deps: Deps, table: Measured, phrase: str, text: str) -> Recognition:
    """Judge a phrase by the measured words of an encoder."""
    forms = _forms(text)
    for form in forms:
        if (name := names_by_key().get(key(form))) is None:
            continue
        word = table.words.get(name)
        if word is None:
            break  # a thing that was not measured; what it is like decides nothing
        nearest = word.thing if word.good else _taken_for(deps, table, text, besides=word.thing)
        return Recognition(phrase, word.good, word.auc, nearest, "pictures", deps.encoder.name)
    score = max(_likeness(deps, table, form) for form in forms)
    head = names_by_key().get(key(forms[-1].split()[-1])) if " " in forms[-1] else None
    least = ENOUGH_WITH_HEAD if head is not None and head in table.words and table.words[head].good else ENOUGH
    known = score >= least and not any(_other_thing(table, form) for form in forms)
    nearest = _taken_for(deps, table, text)
    return Recognition(phrase, known, round(score, 3), nearest, "likeness", deps.encoder.name)


def _forms(text: str) -> list[str]:
    """Return a phrase as it is, and without what only describes: "old ship with a crane" and "ship"."""
    words = text.lower().split(" with ")[0].split()
    while len(words) > 1 and is_modifier(words[0]):
        words = words[1:]
    return list(dict.fromkeys((text.lower(), " ".join(words))))


def _other_thing(table: Measured, form: str) -> bool:
    """Return whether a phrase is a name of a thing that was not measured."""
    name = names_by_key().get(key(form))
    return name is not None and name not in table.words


def _likeness(deps: Deps, table: Measured, form: str) -> float:
    """Return the probability that a phrase names something that the encoder was measured to tell apart."""
    good = _good_names(table.fingerprint)
    alike: NDArray[np.float32] = name_vectors(deps.sentences) @ deps.sentences.encode([form])[0]
    known, other = np.sort(alike[good])[::-1], np.sort(alike[~good])[::-1]
    lead = known[:_TOP].mean() - other[:_TOP].mean()
    return float(expit(_LIKENESS * known[0] + _LEAD * lead + _BIAS))


@lru_cache(maxsize=16)
def _good_names(fingerprint: str) -> NDArray[np.bool_]:
    table = measured_words(fingerprint)
    words = {} if table is None else table.words
    return np.array([name in words and words[name].good for name in thing_of()])


def _taken_for(deps: Deps, table: Measured, text: str, *, besides: str = "") -> str:
    """Return the measured thing whose words the encoder's text tower finds most like a text."""
    told = {word.thing for word in table.words.values() if word.good and word.thing != besides}
    names = sorted(told, key=list(thing_of()).index)
    vectors, (own,) = deps.encoder.encode_texts(names), deps.encoder.encode_texts([text])
    return names[int((vectors @ own).argmax())]


def _by_text(deps: Deps, phrase: str, text: str) -> Recognition:
    """Judge a phrase by the text tower alone."""
    own, *same = deps.encoder.encode_texts([text, f"a {text}", f"{text}s"])
    prompts = applies([text], deps.sentences)[0]
    others = background_vectors(deps.encoder)[prompts] @ own
    itself = max(float(own @ vector) for vector in same)
    nearest = [prompt for prompt, used in zip(PROMPTS, prompts, strict=True) if used][int(others.argmax())]
    score = float(np.clip((itself - others.max()) / max(1 - float(others.max()), 1e-6), 0, 1))
    return Recognition(phrase, bool(others.max() < itself), round(score, 3), nearest, "text", deps.encoder.name)


def _by_imagery(deps: Deps, judged: Recognition, text: str, measured: Reaches | None, collection: str) -> Recognition:
    """Add what the scores of a word do on the installation's scenes, if that was measured (`imagerag calibrate`)."""
    if not judged.known or measured is None:
        return judged
    reach = float(reaches(deps, [text], collection=collection)[0])
    known = reach > measured.level
    return replace(judged, known=known, score=round(measured.share_below(reach), 3), by="imagery")


def _opener(deps: Deps) -> Opened:
    def opened(kind: KnowledgeKind) -> Current | None:
        try:
            return open_knowledge(deps, kind)
        except FingerprintError:
            return None

    return opened


def _with_knowledge(deps: Deps, opened: Opened, judged: Recognition, text: str) -> Recognition:
    """Add what the knowledge base knows: a phrase that it has pictures of is known, if not by its words."""
    labels = opened("knowledge_labels")
    if labels is not None:
        (sentence,) = deps.sentences.encode([text])
        (hits,) = search_texts(deps, labels, sentence[None], 1)
        if hits and hits[0].score >= SAME_WORDS:
            auc = _auc_of_label(deps, labels, str(hits[0].fields["label"]), text)
            if auc is not None and judged.by != "pictures":
                by: By = "pictures" if auc >= GOOD_AUC else "knowledge"
                return Recognition(judged.phrase, True, round(auc, 3), judged.nearest, by, judged.encoder)
            return judged if judged.known else _through_knowledge(judged)
        if not judged.known and hits and hits[0].score >= max(LABEL_FLOOR, _like_another(deps, hits[0], sentence)):
            return _through_knowledge(judged)
    if judged.known:
        return judged
    captions = opened("knowledge_captions")
    if captions is not None:
        (hits,) = search_texts(deps, captions, deps.sentences.encode([text]), 1)
        if hits and (hits[0].score >= _CAPTION_SAYS_IT or f" {key(text)} " in f" {key(str(hits[0].fields['text']))} "):
            return _through_knowledge(judged)
    return judged


def _through_knowledge(judged: Recognition) -> Recognition:
    return Recognition(judged.phrase, True, judged.score, judged.nearest, "knowledge", judged.encoder)


def _like_another(deps: Deps, hit: Hit, sentence: NDArray[np.float32]) -> float:
    """Return how like in meaning a phrase is to things that a text about a label, and the label, do not mean."""
    names = name_vectors(deps.sentences)
    meant = deps.sentences.encode([str(hit.fields["label"]), str(hit.fields["text"])])
    other = (names @ meant.T).max(axis=1) < SAME_THING
    return float((names[other] @ sentence).max())


def _auc_of_label(deps: Deps, knowledge: Current, label: str, text: str) -> float | None:
    """Return how well a text tells the exemplars of its label from those of other labels; None with too few."""
    (sentence,) = deps.sentences.encode([text])
    (hits,) = search_texts(deps, knowledge, sentence[None], 512, by_name=True)
    others = [str(hit.fields["label"]) for hit in hits if hit.score < SAME_THING and hit.fields["label"] != label]
    own, rest = exemplars(deps, knowledge, [label]), exemplars(deps, knowledge, others[:_OTHER_LABELS])
    if min(len(own), len(rest)) < _EXEMPLARS_NEEDED:
        return None
    from sklearn.metrics import roc_auc_score

    query = deps.encoder.encode_texts([text])[0]
    truth = np.repeat([True, False], [len(own), len(rest)])
    return float(roc_auc_score(truth, np.concatenate([own, rest]) @ query))
