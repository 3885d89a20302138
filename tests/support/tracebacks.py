"""What an error tells to whoever asks for all of it."""

import traceback


def everything(error: BaseException) -> str:
    """Return what the most talkative logger could write: all variables below us, hidden contexts too."""
    text = ""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    shown: BaseException | None = error
    while shown is not None:
        lines = traceback.TracebackException(type(shown), shown, trace, capture_locals=True).format(
            chain=False
        )
        text += "".join(lines)
        shown = shown.__context__
        trace = shown.__traceback__ if shown else None
    return text
