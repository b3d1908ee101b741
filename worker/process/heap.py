"""What a process has loaded for good, out of the way of the garbage collector."""

import gc


def freeze() -> None:
    """Leave all that is loaded now out of later collections.

    A long-lived process has loaded modules and schemas that never become garbage. Looking through them all
    took 70 ms each time, in the middle of whatever a user was waiting for.
    """
    gc.collect()
    gc.freeze()
