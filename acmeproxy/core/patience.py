"""How long to wait before asking again: longer, the longer it was waited in vain."""

from datetime import timedelta


def patience(waited: timedelta, least: timedelta, most: timedelta, share: int = 2) -> timedelta:
    """Return a share of what was waited so far, half of it unless told otherwise, within bounds."""
    return min(max(waited / share, least), most)
