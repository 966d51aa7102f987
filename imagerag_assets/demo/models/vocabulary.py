"""The words that the demo models are trained with: our own phrases for every class of chip and drawn object.

Some words are left out on purpose (`HELD_OUT_QUERIES` and the packaged glossary of jargon), to measure what the locked
text tower generalises to, and what it does not.
"""

from __future__ import annotations

from imagerag_assets.demo.sprites import OBJECT_CLASSES

TRAINING_TEMPLATES: tuple[str, ...] = (
    "an aerial photo of {}.",
    "a satellite image of {}.",
    "an overhead view of {}.",
    "a remote sensing image showing {}.",
    "{} seen from above.",
    "an aerial image with {} in it.",
)

PHRASES: dict[str, tuple[str, ...]] = {
    "agricultural": (
        "agricultural",
        "agricultural land",
        "farmland",
        "a crop field",
        "crop fields",
        "cultivated fields",
        "ploughed fields with crop rows",
        "farm fields",
        "agricultural fields",
    ),
    "airplane": (
        "airplane",
        "an airplane",
        "airplanes",
        "a plane on the ground",
        "aircraft",
        "parked aircraft",
        "a passenger plane at an airport",
        "a jet aircraft",
        "planes standing at a terminal",
        "airplane on concrete",
    ),
    "baseball diamond": (
        "baseball diamond",
        "a baseball diamond",
        "baseball field",
        "a baseball field",
        "a ball field with an infield",
        "baseball diamonds",
        "a softball field",
        "an infield of brown dirt and an outfield of grass",
    ),
    "beach": (
        "beach",
        "a beach",
        "a sandy beach",
        "the sea shore",
        "waves on the sand",
        "a coast with sand and surf",
        "beaches",
        "shoreline with breaking waves",
    ),
    "buildings": (
        "buildings",
        "large building",
        "a large building",
        "large buildings",
        "office buildings",
        "commercial buildings",
        "a tall building downtown",
        "city blocks with large buildings",
        "a building with a flat roof",
    ),
    "chaparral": (
        "chaparral",
        "shrubland",
        "scattered bushes on dry ground",
        "desert scrub",
        "sparse shrubs on sand",
        "chaparral vegetation",
        "dry land with bushes",
    ),
    "dense residential": (
        "dense residential",
        "a dense residential area",
        "dense residential area",
        "tightly packed houses",
        "densely built houses",
        "a crowded neighbourhood of houses",
        "dense housing",
    ),
    "forest": ("forest", "a forest", "trees", "dense trees", "woodland", "the canopy of a forest", "dark green trees"),
    "freeway": (
        "freeway",
        "a freeway",
        "highway",
        "a highway with several lanes",
        "a motorway",
        "freeways",
        "cars on a multi-lane road",
        "a divided highway",
    ),
    "golf course": (
        "golf course",
        "a golf course",
        "fairways and bunkers",
        "a golf green with sand traps",
        "golf courses",
        "a putting green",
        "a fairway with trees",
    ),
    "harbor": (
        "harbor",
        "a harbor",
        "harbour",
        "boats at docks",
        "boats moored at piers",
        "a harbor full of boats",
        "docks with boats",
        "many boats side by side in the water",
        "a port with small boats",
        "harbors",
    ),
    "intersection": (
        "intersection",
        "road intersection",
        "a road intersection",
        "a street crossing",
        "a crossroads",
        "two roads crossing",
        "a crossing with traffic lights",
        "road intersections",
        "street intersection",
    ),
    "medium residential": (
        "medium residential",
        "a medium density residential area",
        "medium residential area",
        "houses with gardens",
        "a suburb",
        "suburban houses with lawns",
        "single-family houses along a street",
        "houses",
    ),
    "mobile home park": (
        "mobile home park",
        "a mobile home park",
        "mobile homes",
        "rows of mobile homes",
        "mobile home parks",
        "long narrow homes in rows",
        "manufactured homes side by side",
    ),
    "overpass": (
        "overpass",
        "an overpass",
        "a road bridge over a freeway",
        "a flyover",
        "a highway overpass",
        "overpasses",
        "one road passing over another",
        "a highway interchange with a bridge",
    ),
    "parking lot": (
        "parking lot",
        "a parking lot",
        "parked cars",
        "a car park",
        "parking lots",
        "rows of parked cars",
        "a lot full of cars",
        "cars in a parking area",
    ),
    "river": ("river", "a river", "a river between trees", "a stream", "a winding river", "rivers", "flowing water"),
    "runway": (
        "runway",
        "a runway",
        "an airport runway",
        "runway markings",
        "a landing strip",
        "runways",
        "a runway with white stripes",
        "a paved airstrip",
    ),
    "sparse residential": (
        "sparse residential",
        "a sparse residential area",
        "sparse residential area",
        "a single house on a large plot",
        "a few houses among trees",
        "an isolated house",
        "a country house with a driveway",
    ),
    "storage tank": (
        "storage tank",
        "a storage tank",
        "storage tanks",
        "round storage tanks",
        "fuel tanks",
        "oil tanks",
        "petroleum storage tanks",
        "white cylindrical tanks",
        "large round tanks",
        "an oil storage tank",
    ),
    "tennis court": (
        "tennis court",
        "a tennis court",
        "tennis courts",
        "a court with white lines and a net",
        "tennis courts side by side",
        "a hard court for tennis",
    ),
    "ship": (
        "ship",
        "a ship",
        "ships",
        "a vessel on the water",
        "a cargo ship",
        "a ship under way",
        "a large boat on a lake",
    ),
    "swimming pool": (
        "swimming pool",
        "a swimming pool",
        "swimming pools",
        "a pool with blue water",
        "an outdoor pool with lanes",
        "a lap pool",
    ),
    "roundabout": (
        "roundabout",
        "a roundabout",
        "roundabouts",
        "a traffic circle",
        "a round road junction",
        "a rotary",
    ),
    "solar farm": (
        "solar farm",
        "a solar farm",
        "solar farms",
        "solar panels",
        "rows of solar panels",
        "photovoltaic panels",
        "a solar power plant",
    ),
    "stadium": (
        "stadium",
        "a stadium",
        "stadiums",
        "a sports arena",
        "a running track around a pitch",
        "a football ground with stands",
        "an athletics track",
    ),
    "warehouse": (
        "warehouse",
        "a warehouse",
        "warehouses",
        "an industrial hall",
        "a factory building",
        "a storage building with a metal roof",
        "a big shed with a coloured roof",
    ),
    "helipad": (
        "helipad",
        "a helipad",
        "helipads",
        "a landing pad for helicopters",
        "a pad marked with an H",
        "a heliport",
    ),
    "water": ("open water", "a lake", "the surface of a lake", "calm water", "blue water", "water"),
    "grassland": (
        "grassland",
        "grass",
        "a meadow",
        "open grass",
        "bare ground with dry grass",
        "an empty field of grass",
    ),
    "road": ("a road", "road", "a country road", "a street", "an asphalt road through fields", "roads"),
}

_COLOURED = (
    "{colour} {name}",
    "a {colour} {name}",
    "{colour} {plural}",
    "a {name} that is {colour}",
    "the {colour} {name}",
)
_ROOFED = (*_COLOURED, "a {name} with a {colour} roof", "a building with a {colour} roof")

for _class in OBJECT_CLASSES.values():
    _forms = _ROOFED if _class.name == "warehouse" else _COLOURED
    for _colour in _class.colours:
        PHRASES[f"{_colour} {_class.name}"] = tuple(
            form.format(colour=_colour, name=_class.name, plural=_class.plural) for form in _forms
        )

# Our class names by folder name of the UC Merced Land Use chips, where the names differ.
CHIP_CLASSES: dict[str, str] = {
    "baseballdiamond": "baseball diamond",
    "denseresidential": "dense residential",
    "golfcourse": "golf course",
    "harbor": "harbor",
    "mediumresidential": "medium residential",
    "mobilehomepark": "mobile home park",
    "parkinglot": "parking lot",
    "sparseresidential": "sparse residential",
    "storagetanks": "storage tank",
    "tenniscourt": "tennis court",
}

# Queries that are never in the training text, each with the class that should come first.
HELD_OUT_QUERIES: dict[str, str] = {
    "marina full of yachts": "harbor",
    "a jet airliner parked": "airplane",
    "oil depots": "storage tank",
    "hay meadows and orchards in rows": "agricultural",
    "trailers lined up in a trailer park": "mobile home park",
    "automobiles": "parking lot",
    "seaside with surfers": "beach",
    "the links with holes and flags": "golf course",
}


def coloured(name: str, colour: str | None) -> str | None:
    """Return the coloured class of an object, or None if its class has no colours."""
    return f"{colour} {name}" if colour else None
