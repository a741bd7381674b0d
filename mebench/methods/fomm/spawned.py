"""Training in processes that this one starts: one each of several devices."""

from __future__ import annotations

import pickle
import threading
from typing import Any

from lightning_fabric import Fabric
from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from mebench.errors import MebenchError
from mebench.methods.fomm.allocator import keep_freed_memory
from mebench.methods.fomm.engine import Engine, Job, Report
from mebench.methods.fomm.training_aids import in_this_process


def run_spawned(job: Job, fabric: Fabric, report: Report) -> None:
    """Run the loop in new processes, one each of the Fabric's devices; the first one's news come.

    Raises:
        KeyboardInterrupt: after a checkpoint, when the processes were interrupted.
        MebenchError: what the loop raised, or that a process died.
    """
    news: Any = get_context("spawn").SimpleQueue()
    listener = threading.Thread(target=_listen, args=(news, report), daemon=True)
    listener.start()
    try:
        start: Any = fabric.launch
        ended = start(_work, pickle.dumps(job), news)
    except (ProcessRaisedException, ProcessExitedException) as error:
        lines = str(error).strip().splitlines()
        raise MebenchError(
            f"training: one of {fabric.world_size} processes died ({lines[-1]}); the last "
            "checkpoint is kept, start again to go on from it"
        ) from error
    finally:
        news.put(None)
        listener.join()
    if ended == "interrupted":
        raise KeyboardInterrupt
    if ended is not None:
        raise MebenchError(ended)


def _listen(news: Any, report: Report) -> None:
    while (note := news.get()) is not None:
        report(note)


def _work(fabric: Fabric, pickled: bytes, news: Any) -> str | None:
    """One process: return why it stopped early, so that one line and no traceback is shown."""

    def report(note: str) -> None:
        if fabric.global_rank == 0:
            news.put(note)

    if fabric.device.type == "cpu":
        keep_freed_memory()
    stop = threading.Event()
    # In bytes, because Fabric walks through its arguments and stops at frozen classes.
    job: Job = pickle.loads(pickled)
    engine = Engine(job, fabric, report, stop)
    try:
        in_this_process(engine.run, stop)
    except KeyboardInterrupt:
        return "interrupted"
    except MebenchError as error:
        return str(error)
    return None
