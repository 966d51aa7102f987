"""The Python interface for notebooks and scripts: open an installation, ask, find, list scenes.

``import imagerag_assets as ia; ia.open()`` is all that most programs need.  What is here is stable: names, parameters
and columns of tables are added to, not changed.  It holds no logic of its own beyond putting results into objects and
tables; the work is in `questions`, `ingestion` and `lineage`.
"""

from imagerag_assets.python_api.answers import Answer, Cue, Cues
from imagerag_assets.python_api.opened import Installation, open_installation
from imagerag_assets.python_api.scene_list import Scene, Scenes

__all__ = ["Answer", "Cue", "Cues", "Installation", "Scene", "Scenes", "open_installation"]
