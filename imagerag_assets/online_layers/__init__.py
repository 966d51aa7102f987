"""Online layers as sources: XYZ, WMTS and WMS within a box, fetched tile by tile into one raster of the installation.

A layer becomes an item at once, and its tiles are fetched when its scene is registered.
"""
