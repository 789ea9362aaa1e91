"""Banks of impulse responses on disk: one safetensors file each, read without unpickling anything."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError
from cohear.runtime.files import write_bytes

_FORMAT = "cohear response bank 1"


def save_bank(bank: ResponseBank, path: str | Path) -> None:
    """Write a bank whole or not at all; `load_bank` gives an equal one.

    Args:
        bank: what to write.
        path: its folder exists; the name usually ends in `.safetensors`.

    Raises:
        UserError: where the disk is full or the place cannot be written.
    """
    described = {"format": _FORMAT, "sample_rate": str(bank.sample_rate), "names": json.dumps(bank.names)}
    write_bytes(Path(path), save({"responses": bank.responses}, described))


def load_bank(path: str | Path) -> ResponseBank:
    """Read what `save_bank` wrote.

    Raises:
        UserError: where there is no such file, or it is damaged or something else.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="np") as archive:
            described = archive.metadata() or {}
            if described.get("format") != _FORMAT:
                raise UserError(f"'{path}' holds no bank of responses; give a file that save_bank wrote")
            responses = archive.get_tensor("responses")
        return ResponseBank(responses, int(described["sample_rate"]), tuple(json.loads(described["names"])))
    except FileNotFoundError as error:
        raise UserError(f"'{path}' does not exist; give a bank of responses that save_bank wrote") from error
    except UserError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UserError(
            f"'{path}' cannot be used as a bank of responses ({reason}); copy or save it again, or give another"
        ) from error
