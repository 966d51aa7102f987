"""Pages for people: the page of an answer, and the parts that every page of ours is made of.

`components` has the stylesheet, the script and the macros (`templates/components.html`); `views` says what they show.
"""
