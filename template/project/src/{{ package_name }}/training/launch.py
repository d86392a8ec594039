"""Start the processes of a distributed training as torchrun does, which would end with a traceback of its own.

`python -m PACKAGE.training.launch OPTIONS -m PACKAGE train` takes torchrun's options:
https://docs.pytorch.org/docs/stable/elastic/run.html
"""

import sys

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main


def launch() -> int:
    """Run the processes of this node until they have ended.

    Returns:
        0, the exit code of the first process that failed, or 128 and the signal that ended it or this one.
    """
    try:
        main()
    except SignalException as error:
        return 128 + error.sigval
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode  # negative: killed by a signal
    return 0


if __name__ == "__main__":
    sys.exit(launch())
