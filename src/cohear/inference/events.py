"""Windows of one label become events: where it begins, where it ends, how sure its surest window is.

An event is a stretch of time that windows reported under one label cover without a gap: it begins with the first of
them and ends with the last. Windows that overlap or touch are joined, also where one between them was not reported, and
each keeps its own probability, so that a threshold fitted on single windows means the same here. Averaging what
overlaps would place short sounds better, and make their probabilities lower than those the thresholds were fitted on.
"""

from collections.abc import Iterable

from cohear.inference.answers import Prediction


def join_windows(windows: Iterable[Prediction]) -> list[Prediction]:
    """Join the reported windows of one recording to events, in the order of their beginning.

    Args:
        windows: in the order of time; several may have the same times and different labels.

    Returns:
        Events of one label never touch; their probability is the highest of their windows.

    Example:
        >>> heard = [Prediction(0, 2, "frog", 0.8), Prediction(1, 3, "frog", 0.9), Prediction(5, 7, "frog", 0.7)]
        >>> [tuple(event) for event in join_windows(heard)]
        [(0, 3, 'frog', 0.9), (5, 7, 'frog', 0.7)]
    """
    events: list[Prediction] = []
    open_events: dict[str, Prediction] = {}
    for window in windows:
        event = open_events.get(window.label)
        if event is not None and window.start_s <= event.end_s:
            surest = max(event.probability, window.probability)
            open_events[window.label] = window._replace(start_s=event.start_s, probability=surest)
            continue
        if event is not None:
            events.append(event)
        open_events[window.label] = window
    return sorted([*events, *open_events.values()])
