"""Which runs lie below a folder, finished or not."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cohear.errors import UserError
from cohear.experiments.run_folder import RunRecord, is_finished, read_record


@dataclass(frozen=True)
class FoundRun:
    """A run and its folder."""

    folder: Path
    record: RunRecord

    @property
    def is_finished(self) -> bool:
        """Whether everything of it is there."""
        return is_finished(self.folder)


def find_runs(parent: Path, dataset: str, data_fingerprint: str | None = None) -> list[FoundRun]:
    """Find the runs of a data set in the folders of a folder, by name; what cannot be read is passed over.

    Args:
        parent: may be missing.
        dataset: its name.
        data_fingerprint: of the clips; None: whichever.
    """
    found = []
    for path in sorted(parent.glob("*/config.json")):
        with suppress(UserError):
            run = FoundRun(path.parent, read_record(path.parent))
            if run.record.dataset == dataset and data_fingerprint in (None, run.record.data_fingerprint):
                found.append(run)
    return found
