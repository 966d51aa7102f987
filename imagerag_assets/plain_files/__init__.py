"""Make STAC items of raster files that have none, and keep the items that were made beside the installation."""
