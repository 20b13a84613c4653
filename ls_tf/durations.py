"""How long something takes, as a person says it."""

_MINUTE, _HOUR = 60, 3600


def spoken(seconds: float) -> str:
    """Says a duration: "45 s", "12 min", "1 h 05 min".

    Args:
        seconds: 0 or more; rounded to seconds below two minutes, and to
            minutes from there on.

    Returns:
        str: without a sign.

    Source: ours.
    """
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    if minutes < _HOUR // _MINUTE:
        return f"{minutes} min"
    hours, rest = divmod(minutes, _HOUR // _MINUTE)
    return f"{hours} h {rest:02d} min"
