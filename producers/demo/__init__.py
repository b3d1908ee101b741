"""A small workspace of this project's own making, to look at and to develop with."""
