"""Grids, filmstrips and charts, as files that people look at."""

from jobs.pictures.charts import bars, curves
from jobs.pictures.images import gif, grid, png

__all__ = ["bars", "curves", "gif", "grid", "png"]
