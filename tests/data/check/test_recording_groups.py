import dataclasses

from cohear.data.check.recording_groups import find_kinship
from surveyed import dataset_of, heard


def test_groups_join_what_any_chain_of_group_name_and_content_joins():
    clips = [
        heard("a.wav", "dog", content="A"),
        heard("site1_1.wav", "dog", content="A"),
        heard("site1_2.wav", "dog"),
        heard("b.wav", "dog", content="site1_2.wav", group="pond"),
        heard("c.wav", "dog", group="pond"),
        *(heard(f"{i}.wav", "rain") for i in range(5)),
    ]
    groups = find_kinship(dataset_of(clips), clips).groups
    assert groups == ["pond"] * 5 + [f"{i}.wav" for i in range(5)]


def test_the_folder_that_is_the_label_is_no_part_of_a_recordings_name():
    clips = [heard(f"{label}/{stem}_{i}.wav", label) for label in ("dog", "rain") for stem in "pq" for i in range(2)]
    assert set(find_kinship(dataset_of(clips, "folder"), clips).groups) == {"p", "q"}
    assert set(find_kinship(dataset_of(clips, "table"), clips).groups) == {"dog/p", "dog/q", "rain/p", "rain/q"}


def test_a_file_is_one_whatever_its_clips_are_called_or_grouped(tmp_path):
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    clips = [
        heard("a.wav", "dog", group="june"),
        heard("a.wav", "dog", group="july"),
        *(heard(path, "rain") for path in ("link.wav", f"{tmp_path}/a.wav", "b.wav")),
    ]
    kinship = find_kinship(dataclasses.replace(dataset_of(clips), root=tmp_path), clips)
    assert len(set(kinship.groups[:4])) == 1
    assert kinship.groups[4] == "b.wav"
