"""The wording that the demo's multimodal model is trained with: questions, names, and short descriptions of classes.

The wording that it is measured with is in `measure_words.py`: other sentences, which nobody may copy to here.
"""

from __future__ import annotations

SAID = {
    "agricultural": "farm fields",
    "airplane": "an airplane",
    "baseball diamond": "a baseball diamond",
    "beach": "a beach",
    "buildings": "large buildings",
    "chaparral": "shrubland",
    "dense residential": "a dense residential area",
    "forest": "a forest",
    "freeway": "a freeway",
    "golf course": "a golf course",
    "harbor": "a harbor",
    "intersection": "a road intersection",
    "medium residential": "a suburb",
    "mobile home park": "a mobile home park",
    "overpass": "an overpass",
    "parking lot": "a parking lot",
    "river": "a river",
    "runway": "a runway",
    "sparse residential": "a few houses among trees",
    "storage tank": "a storage tank",
    "tennis court": "a tennis court",
    "ship": "a ship",
    "swimming pool": "a swimming pool",
    "roundabout": "a roundabout",
    "solar farm": "a solar farm",
    "stadium": "a stadium",
    "warehouse": "a warehouse",
    "helipad": "a helipad",
    "water": "open water",
    "grassland": "grassland",
    "road": "a road",
}
"""How a class is named in an answer."""

LOOKS = {
    "agricultural": "farm fields with crop rows",
    "airplane": "an airplane parked on concrete",
    "baseball diamond": "a baseball diamond with a dirt infield and grass around it",
    "beach": "a sandy beach with breaking waves",
    "buildings": "large buildings with flat roofs",
    "chaparral": "dry ground with scattered bushes",
    "dense residential": "tightly packed houses along streets",
    "forest": "a dense forest of dark green trees",
    "freeway": "a freeway with several lanes and cars",
    "golf course": "a golf course with fairways and bunkers",
    "harbor": "a harbor with boats at docks",
    "intersection": "two streets that cross",
    "medium residential": "houses with gardens along a street",
    "mobile home park": "rows of mobile homes",
    "overpass": "a road on a bridge over another road",
    "parking lot": "rows of parked cars",
    "river": "a river between trees",
    "runway": "a runway with white markings",
    "sparse residential": "a house among trees",
    "storage tank": "round storage tanks",
    "tennis court": "a tennis court with white lines",
    "ship": "a ship on the water",
    "swimming pool": "a swimming pool with blue water",
    "roundabout": "a roundabout where roads meet",
    "solar farm": "rows of solar panels",
    "stadium": "a stadium with a running track",
    "warehouse": "a warehouse with a metal roof",
    "helipad": "a landing pad marked with an H",
    "water": "calm open water",
    "grassland": "open grass",
    "road": "a road through open land",
}
"""What a class looks like from above, as a description says it."""

ALIKE = (
    ("dense residential", "medium residential", "mobile home park", "sparse residential", "buildings"),
    ("freeway", "overpass", "intersection", "runway", "road", "parking lot"),
    ("river", "forest", "water", "beach", "chaparral"),
    ("golf course", "baseball diamond", "grassland", "agricultural", "stadium"),
    ("buildings", "warehouse", "dense residential", "parking lot", "harbor"),
    ("harbor", "ship", "beach", "river", "water"),
    ("agricultural", "chaparral", "grassland", "golf course"),
    ("tennis court", "baseball diamond", "swimming pool", "solar farm", "stadium"),
    ("storage tank", "roundabout", "helipad", "airplane", "swimming pool"),
)
"""Classes that are easily taken for each other."""

TOGETHER = {
    "harbor": ("ship", "water", "beach"),
    "beach": ("water", "harbor"),
    "river": ("water", "forest"),
    "forest": ("river", "sparse residential"),
    "freeway": ("road", "overpass", "intersection"),
    "overpass": ("freeway", "road", "intersection"),
    "intersection": ("road", "freeway", "overpass", "buildings"),
    "buildings": ("parking lot", "warehouse", "road", "intersection"),
    "dense residential": ("road", "buildings", "medium residential", "mobile home park", "sparse residential"),
    "medium residential": ("road", "dense residential", "sparse residential", "mobile home park", "swimming pool"),
    "sparse residential": ("road", "forest", "medium residential", "dense residential", "chaparral"),
    "mobile home park": ("road", "dense residential", "medium residential"),
    "golf course": ("grassland", "forest"),
    "baseball diamond": ("grassland", "stadium"),
    "parking lot": ("road", "buildings"),
    "airplane": ("runway", "road", "buildings"),
    "runway": ("grassland", "road", "airplane"),
    "storage tank": ("road", "buildings"),
    "tennis court": ("grassland", "road", "forest"),
    "chaparral": ("grassland", "sparse residential"),
    "agricultural": ("grassland", "road"),
}
"""What a chip of a class may show besides, so nobody says that it is not there."""

GROUNDS = (
    "agricultural",
    "forest",
    "medium residential",
    "sparse residential",
    "dense residential",
    "water",
    "grassland",
    "road",
    "river",
    "chaparral",
    "buildings",
    "beach",
)
"""What may lie around a drawn object."""

NEUTRAL = ("region", "picture", "place", "crop", "this place", "area", "spot", "marked place")

WHICH = (
    "What does the {p} show?",
    "Which of these does the {p} show?",
    "What can be seen in the {p}?",
    "What is in the {p}?",
    "What is it?",
    "What is this?",
    "Which one is it?",
    "What kind of place is this?",
    "What kind of land is in the {p}?",
    "What is the main thing in the {p}?",
    "Which of the following is visible?",
    "Which description fits the {p}?",
    "Say what the {p} shows.",
    "What do you see?",
    "what is that",
    "the {p} shows what?",
)
IS_THERE = (
    "Is there {x} in the {p}?",
    "Does the {p} show {x}?",
    "Can {x} be seen in the {p}?",
    "Is this {x}?",
    "Do you see {x}?",
    "Is {x} visible here?",
    "Does this look like {x}?",
    "Are we looking at {x}?",
    "Is it {x}?",
    "{x}: yes or no?",
)
COLOUR = (
    "What colour is the {x}?",
    "What color is the {x}?",
    "Which colour does the {x} have?",
    "Of what colour is the {x}?",
    "The {x} is of which colour?",
    "Name the colour of the {x}.",
)
WHICH_CUE = (
    "Which cue shows {x}?",
    "In which cue can {x} be seen?",
    "Where is {x}: in the first or in the second cue?",
    "Which of the two pictures has {x} in it?",
)
MORE = (
    "Which cue has more {x}?",
    "Which of the two pictures shows more {x}?",
    "Where are there more {x}, in cue 1 or in cue 2?",
)
FEWER = ("Which cue has fewer {x}?", "Which of the two pictures shows fewer {x}?")
DATES = (
    "What changed between the two dates?",
    "What has changed here?",
    "What is different on the right?",
    "The left half is earlier, the right half is later. What happened?",
    "Compare the two dates.",
)
SAME = ("Has it changed between the two dates?", "Is anything different on the later date?", "Did this place change?")
DESCRIBE = (
    "Describe the {p}.",
    "What does it look like?",
    "Describe what you see.",
    "Tell me about this place.",
    "Give a short description of the {p}.",
    "What is going on in the {p}?",
)
SCENE = (
    "What is the scene mostly made of?",
    "What covers most of the scene?",
    "What kind of land is this scene?",
    "Which land use is most common here?",
)
PICTURE = ("picture", "crop", "cue", "image", "patch", "region")
NOTHING = ("it cannot be seen", "cannot tell", "it cannot be told from the picture", "not visible", "unclear")
UNSEEN = "it cannot be seen: the picture is blank"
YES, NO = ("yes", "Yes", "yes, it is"), ("no", "No", "no, it is not")
COLOURS = ("red", "blue", "white", "green", "yellow", "brown", "grey", "black")
MUCH = {
    "trees": (("forest", "river", "sparse residential"), ("beach", "runway", "parking lot", "harbor", "airplane")),
    "houses": (("dense residential", "mobile home park", "medium residential"), ("forest", "beach", "agricultural")),
    "cars": (("parking lot",), ("forest", "agricultural", "river", "beach", "chaparral", "golf course")),
    "boats": (("harbor",), ("forest", "agricultural", "parking lot", "runway", "buildings", "freeway")),
}
"""Things of which chips of the first classes have many, and those of the second hardly any."""
