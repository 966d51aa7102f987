"""Closed word lists that the phrase rules work with, and the singular of English nouns.

Data only, plus the few functions that read single words.  How words make phrases is in `phrases.py`.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


FUNCTION = words(
    """
    a an the this that these those some any no none not each every all both either neither other another such same
    and or but nor so yet if then else than as at by for from in into inside of off on onto out outside over to toward
    towards under up upon via with within without about above across after against along alongside among amid around
    before behind below beneath beside besides between beyond despite down during near nearby next opposite past per
    since through throughout until versus vs like just only very really quite too also already still ever never always
    him them herself himself themselves whichever whatever whoever wherever nobody
    i you he she it its it's we they them their theirs his her hers my your our me us one ones someone something
    anything everything nothing itself themselves here there where when why how what which who whom whose whether
    yes please kindly actually maybe perhaps s t don't doesn't isn't aren't
    """
)
"""Words that end a noun phrase."""

VERBS = words(
    """
    am is are was were be been being do does did doing done have has had having can could may might must shall should
    will would see sees seen saw seeing look looks looking looked show shows showing shown contain contains containing
    contained include includes including included feature features featuring featured appear appears appearing appeared
    exist exists existing find finds finding found locate locates locating located lie lies lying situate situated
    identify identifies identified detect detects detected count counts counted tell give name list describe describes
    described explain choose pick select answer determine determines say says mention compare compares compared depict
    depicts depicted display displays displayed observe observed recognise recognised recognize recognized get got give
    gives think know want need use used make makes made point belong belongs touch touches face faces facing surround
    surrounds border borders bordering adjoin adjoins adjoining connect connects connecting cross crosses
    change changes changed changing
    hate hates hated dislike dislikes fear fears enjoy enjoys avoid avoids prefer prefers adore adores
    said told went came knew thought took gave kept brought meant heard wrote lost
    rank ranks ranked
    lead leads run runs hold holds sit sits stand stands cover covers covering spot spots notice noticed
    """
)

PARTICIPLES = words(
    """
    parked moored docked anchored berthed standing flying sailing driving moving lined painted planted stacked arranged
    scattered visible present built surrounded covered filled full made coloured colored marked placed grouped
    connected adjacent close
    """
)
"""Modifiers before a noun ("parked cars"); after one they end the phrase ("cars | parked by the road")."""

META = words(
    """
    aoi roi extent imaged detection detections
    image images picture pictures photo photos photograph photographs scene scenes view frame patch tile imagery
    camera cameras photographer drone snapshot shot shots sheet still satellite aerial overhead
    remote sensing question option options choice choices following statement
    part parts portion section sections side sides quadrant quadrants region regions place places location locations
    position positions site sites spot spots corner corners middle centre center edge edges half direction
    coordinates directions area areas number numbers amount total sum many much more most less least fewer few several
    various multiple single separate individual distinct different similar exact approximate approximately roughly
    kind kinds type types sort sorts class category categories object objects target targets item items thing things
    element elements feature colour color colours colors shape shapes size sizes theme topic content contents land use
    row rows group groups pair pairs piece pieces lot's bunch cluster clusters body bodies set sets line's
    present presence absence absent apparent detail details main overall general
    difference differences caption summary travel
    date dates time times day days week weeks month months year years acquisition acquisitions earlier later previously
    """
)
"""Words of questions about pictures, never what is looked for."""

ASKED = words(
    """
    distance distances percentage percent proportion proportions fraction share density densities quarter quarters
    relative relation outnumber outnumbers exceed exceeds free lack lacks majority coverage radius compass bearing
    metre metres meter meters kilometre kilometres kilometer kilometers km mile miles feet yards hectare hectares
    square dominate dominates dominant predominant prevalent common commonest frequent frequently often far away
    km2 m2 sqm sqkm km² m²
    apart stuff anywhere somewhere nowhere everywhere hey hi hello ok okay versus vs quantity sum tally acre acres
    anybody anyone somebody everybody bigger smaller larger greater higher lower longer shorter taller wider closer
    nearer farther further furthest fewest bit call called chance check comparing coordinate counting depth diameter
    dimension dimensions end ends enough entire equal even false true figure foot footage form ground head height
    help hide hiding hour hours hue inventory length lets map mark match material minute minutes now numerous
    orientation outline overview ratio removed report respect rundown scenery search shade shades situation special
    state tint tints tone tones
    condition statement statements unit units unusual strange weird odd interesting suspicious abnormal anomaly
    anomalies noteworthy remarkable noticeable notable wrong vicinity whereabouts width wonder today once while
    whole although because unless sure possible pinpoint stretch span spans spanning happened happening occupied
    occupies takes taken took take room space else way ways lacking devoid void missing hunt guess estimate try
    using used well thanks thank bye lot lots mean upstairs downstairs sentence sentences word words paragraph rarer
    scarcer commoner shrunk shrank grown grew expanded vanished disappeared maths case back pic pics
    """
)
"""Words of what is asked about things: measures, shares and comparisons."""

KEPT_WITH_MODIFIER = words("area areas site sites land side place spot section region centre center")
"""Words of META that end a real phrase when a describing noun or adjective precedes: "residential area"."""

GENERIC_MODIFIERS = words(
    """
    whole entire given certain main particular same visible specific overall separate above
    largest smallest biggest longest tallest widest shortest highest busiest
    """
)
"""Modifiers that no single patch can show, dropped from the front of a phrase."""

POSITION = words(
    """
    upper lower left right top bottom northern southern eastern western north south east west northeast northwest
    southeast southwest northeastern northwestern southeastern southwestern north-east north-west south-east south-west
    north-eastern north-western south-eastern south-western ne nw se sw
    upper-left upper-right lower-left lower-right top-left top-right bottom-left bottom-right
    central leftmost rightmost topmost bottommost uppermost lowermost nearest farthest closest left-hand right-hand
    """
)

COLOURS = words(
    """
    red green blue white black grey gray yellow orange brown purple pink cyan magenta beige tan golden silver dark light
    bright pale teal turquoise maroon reddish greenish bluish brownish whitish greyish grayish
    """
)

ADJECTIVES = words(
    """
    large small big tiny huge long short tall low high wide narrow round square rectangular circular oval new old empty
    full open closed bare dense sparse medium modern flat big-sized larger
    smaller bigger longer taller higher wider rural urban deep shallow wet dry busy crowded bright
    """
)

NUMBERS = words(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty hundred thousand dozen first second third fourth fifth last
    """
)

PARTS = words(
    """
    roof roofs hull hulls wing wings deck stripe stripes marking markings fence chimney chimneys lawn net surface
    sail sails
    """
)
"""Parts of a target.  "with" binds them to it ("warehouse with red roof"); beside other phrases they are dropped."""

COVERS = words("forest farmland water lake sea river grassland wetland snow sand desert pasture")
"""What is measured by its area rather than counted."""

EXTENDED = COVERS - {"lake"} | {
    "road", "freeway", "railway", "railway tracks", "canal", "coast", "shore", "beach", "shrubland", "dirt road",
    "trail", "crop field", "agricultural land", "open sea",
}  # fmt: skip
"""Phrases of what has no ends that a search would see: one of them is found in many places."""

OF_SCENES = r"(?:of (?:the|these|those) )?(?:different )?(?:scenes|images|pictures|photos|photographs)\b"
"""A pattern of what follows "how many" where scenes are counted, and not things in them."""

_IRREGULAR = {
    "wharves": "wharf", "leaves": "leaf", "shelves": "shelf", "buses": "bus", "gases": "gas", "people": "people",
    "men": "man", "women": "woman", "volcanoes": "volcano", "movies": "movie", "aircraft": "aircraft",
    "railways": "railway", "axes": "axis", "calves": "calf", "sheep": "sheep", "geese": "goose", "oxen": "ox",
}  # fmt: skip
_CONTRACTED = words("i you he she it we they there what where who that how let can don doesn didn isn aren wasn won")
INVARIANT = words("species series premises headquarters barracks stairs works links gas tennis lens chaos canvas atlas")


def singular(noun: str) -> str:
    """The singular of an English noun in lower case; a word that does not look like a plural comes back unchanged."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun in INVARIANT or len(noun) < 4 or not noun.endswith("s") or noun.endswith(("ss", "us", "is")):
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return noun[:-2]
    return noun[:-1]


def is_number(word: str) -> bool:
    """A numeral in digits or English words."""
    return word in NUMBERS or word.replace(",", "").replace(".", "").isdigit()


def is_modifier(word: str) -> bool:
    """A word that describes a target but is none itself."""
    return word in COLOURS or word in ADJECTIVES or word in PARTICIPLES or word in GENERIC_MODIFIERS


def is_known(word: str) -> bool:
    """A word of a question that can never name a target."""
    return (
        word in FUNCTION
        or word in VERBS
        or word in META
        or word in POSITION
        or word in ASKED
        or is_number(word)
        or ("'" in word and word.partition("'")[0] in _CONTRACTED)
    )
