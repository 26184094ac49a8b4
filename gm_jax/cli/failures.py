"""What systems and libraries fail with, as one line that says what to do."""

import errno
import re
import sys
from collections.abc import Callable

from gm_jax.errors import UserError


def say_error(message: str) -> int:
    """Prints one line on stderr; returns exit code 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2


def failure_line(error: Exception) -> str | None:
    """What a user is told of a failure; None for a bug, which keeps its traceback."""
    if isinstance(error, UserError):
        return error.shell_line()
    if isinstance(error, OSError):
        return describe_os_error(error)
    return known_failure(error)


def describe_os_error(error: OSError) -> str:
    """A system's refusal as one line with what to do."""
    where = f" {error.filename}" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            what = f" while writing{where}" if where else ""
            return f"the disk is full{what}: make room, then the same command resumes"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"no permission to open or write{where}: give another folder with --run or --out"
        case errno.ENOTDIR | errno.EEXIST | errno.ENOENT | errno.EISDIR if error.filename:
            reason = (error.strerror or "").lower()
            return f"{error.filename} can't be opened or made ({reason}): check the path"
        case _:
            return f"{error.strerror or error}{where}"


def known_failure(error: BaseException) -> str | None:
    """One line for failures that libraries wrap: a full disk, memory that ran out; else None."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    patterns: list[tuple[str, Callable[[str], str]]] = [
        (
            r"No space left on device|ENOSPC|Disk quota exceeded",
            lambda _: describe_os_error(OSError(errno.ENOSPC, "")),
        ),
        (
            r"Permission denied|Read-only file system",
            lambda _: describe_os_error(OSError(errno.EACCES, "")),
        ),
        (
            r"RESOURCE_EXHAUSTED|[Oo]ut of memory|Unable to allocate",
            lambda text: (
                "memory ran out: try a smaller model, --data.batch-size or --num "
                f"({' '.join(text.split())[:100]})"
            ),
        ),
    ]
    for found in causes:
        if isinstance(found, OSError) and found.errno:
            return describe_os_error(found)
        for pattern, describe in patterns:
            if re.search(pattern, str(found)):
                return describe(str(found))
    return None
