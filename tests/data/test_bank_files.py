import numpy as np
import pytest
import safetensors.numpy

from cohear.data.bank_files import load_bank, save_bank
from cohear.dsp.response_bank import ResponseBank
from cohear.errors import UserError

BANK = ResponseBank(np.float32([[1, 0.5, 0.25], [0, -1, 0.125]]), 22050, ("hall.wav", "église/nef.wav"))


def test_a_bank_is_read_as_it_was_written_and_nothing_is_left_beside_it(tmp_path):
    save_bank(BANK, tmp_path / "rooms.safetensors")
    found = load_bank(tmp_path / "rooms.safetensors")
    assert found == BANK
    assert (found.names, found.sample_rate, found.hash()) == (BANK.names, 22050, BANK.hash())
    assert [path.name for path in tmp_path.iterdir()] == ["rooms.safetensors"]
    tensors = safetensors.numpy.load_file(tmp_path / "rooms.safetensors")
    np.testing.assert_array_equal(tensors["responses"], BANK.responses)


def test_any_missing_damaged_or_foreign_file_is_one_sentence(tmp_path):
    save_bank(BANK, tmp_path / "bank")
    written = (tmp_path / "bank").read_bytes()
    described = {"format": "cohear response bank 1", "sample_rate": "8000", "names": "[]"}
    files = {
        "cut": written[:-4],
        "empty": b"",
        "text": b"no bank at all\n" * 100,
        "foreign": safetensors.numpy.save({"weights": np.zeros(3)}),
        "bare": safetensors.numpy.save({"responses": np.ones((1, 3))}, described),
        "silent": safetensors.numpy.save({"responses": np.zeros((0, 3), np.float32)}, described),
        "nameless": safetensors.numpy.save({"responses": BANK.responses}, {"format": described["format"]}),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in (*files, "missing", "folder"):
        with pytest.raises(UserError, match=rf"^'.*{name}' [^\n]*(give|copy)[^\n]*$"):
            load_bank(tmp_path / name)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be written: its folder does not exist"):
        save_bank(BANK, tmp_path / "nowhere" / "bank")
