"""How one of several processes that train together ends."""

import sys
import traceback
from collections.abc import Callable

from gm_jax.cli.failures import failure_line, say_error
from gm_jax.training.processes import leave, lost, meet


def ending_with_the_others(action: Callable[[], int]) -> int:
    """Runs it, and waits for the others; after an error, ends at once, so that they notice.

    Args:
      action: gives the exit code.

    Returns:
      The exit code, where there was no error.
    """
    try:
        code = action()
        meet()
        return code
    except Exception as error:
        line = failure_line(lost(error) or error)
        if line is None:
            traceback.print_exc()
            code = 1
        else:
            code = say_error(line)
        sys.stdout.flush()
        sys.stderr.flush()
        leave(code)
