"""A dictionary of names finds what installed packages offer, and says in one sentence what it cannot find or use."""

from pathlib import Path

import pytest

from cohear.errors import UserError
from cohear.registry import Registry


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that offers one member that works, and two that do not."""
    (tmp_path / "strange.py").write_text("member = 7\n")
    (tmp_path / "broken.py").write_text("import of_what_is_not_there\n")
    info = tmp_path / "strange_members-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-members\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[an.example]\nseven = strange:member\nbroken = broken:member\nnone = strange:absent\none = strange:member\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def made() -> Registry[object]:
    return Registry("number", "an.example", {"one": 1, "pi": "math:pi"})


@pytest.mark.usefixtures("package")
def test_names_are_ours_and_those_of_packages():
    registry = made()
    assert set(registry) == {"one", "pi", "seven", "broken", "none"}
    assert len(registry) == 5
    assert (registry["pi"], registry["seven"]) == (pytest.approx(3.14159, abs=1e-5), 7)
    assert registry["one"] == 1  # no package replaces one of ours


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("name", ["broken", "none"])
def test_what_a_package_does_not_bring_is_told_with_its_name(name: str):
    with pytest.raises(UserError, match=rf"^the number '{name}' of the package 'strange-members'"):
        made()[name]


def test_an_unknown_name_has_the_nearest_one_and_the_mapping_stays_one():
    registry = made()
    with pytest.raises(UserError, match=r"there is no number 'onne' \(did you mean 'one'\?\)"):
        registry["onne"]
    assert "onne" not in registry
    assert registry.get("onne", 3) == 3
