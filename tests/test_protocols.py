"""Every shipped protocol on SynthME written in the real layouts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mebench.errors import DatasetError, SubmissionError, UsageError
from mebench.methods.catalogue import load_baseline
from mebench.protocol.leaks import leaks
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import Protocol, Split, load_protocol
from mebench.protocol.splits import test_sets as sets_of
from mebench.record import Record
from mebench.registry import spec_files
from mebench.runner.folder import RunSettings
from mebench.runner.outputs import Place
from mebench.runner.run import run_baseline
from mebench.scorer import score_many
from mebench.scoring import requirement_of
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.validate import open_submission
from mebench.types import FaceClip
from tests.makers import tiny_protocol

SMALL = {"size": 64, "metrics": ("pixel", "temporal"), "rank_by": "onset_fidelity"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def megc(tiny: Path, cache: Path):
    spec = load_protocol("megc2021").model_copy(update=SMALL)
    return open_protocol(spec, {"megc2021": tiny}, cache=cache)


def write(folder: Path, data, skip=(), frames=None) -> Path:
    for pair in data.pairs:
        if pair.key not in skip:
            made = np.repeat(data.templates[pair.template].image[None], data.n_frames(pair), 0)
            write_output(folder, pair, made if frames is None else frames(pair, made))
    write_manifest(folder, Manifest(protocol=data.protocol.id, method=Method(id="mine", title="M")))
    return folder


def test_every_shipped_protocol_is_read():
    assert {"synthme", "megc2021", "megc2022", "reconstruction", "cross-identity"} <= set(
        spec_files("protocols")
    )
    for name in spec_files("protocols"):
        assert load_protocol(name).id == name


def test_the_pack_asks_for_18_outputs(megc):
    assert len(megc.pairs) == 18
    assert {pair.template for pair in megc.pairs} == {
        "normalized_westernMale", "normalized_asianFemale"
    }  # fmt: skip
    assert len({pair.driving for pair in megc.pairs}) == 9
    assert {megc.part(pair) for pair in megc.pairs} == {"casme2", "samm", "smic"}
    assert megc.train == []
    assert megc.reference(megc.pairs[0]) is None


def test_the_subjects_of_the_nine_clips_are_never_learnt_from(tiny, cache, megc):
    spec = megc.protocol
    roots = {"megc2021": tiny, **{name: tiny / name for name in ("casme2", "samm", "smic")}}
    data = open_protocol(spec, roots, cache=cache)
    shown = {clip.subject for clip in data.driving.values()}
    learnt = {clip.subject for clip in data.train}
    assert data.pairs == megc.pairs
    assert not learnt & shown
    everyone = {path.stem.rpartition(".")[0] for path in (tiny / "truth/landmarks").glob("*.*.npy")}
    assert learnt == {name for name in everyone if name.count(".") == 1} - shown
    assert any("not learnt from" in note for note in data.notes) == bool(
        shown & {name for name in everyone}
    )


@pytest.mark.parametrize("variant", ["bare", "padded", "png", "wrapped"])
def test_the_pack_is_read_under_other_names(tiny, cache, megc, tmp_path, variant):
    """Without the emotion, other zero padding, png for jpg, in a wrapping folder."""
    root = tmp_path / "pack"
    wrap = root / "some copy" if variant == "wrapped" else root
    shutil.copytree(tiny / "MEGC2021_generation", wrap / "MEGC2021_generation")
    source = wrap / "MEGC2021_generation" / "source_samples"
    for folder in [f for part in source.iterdir() for f in part.iterdir()]:
        if variant == "bare":
            folder.rename(folder.with_name(folder.name.partition("_")[2]))
        for frame in sorted(folder.iterdir()) if variant in ("padded", "png") else []:
            if variant == "png":
                from mebench.io.frames import read_image, write_png

                write_png(frame.with_suffix(".png"), read_image(frame))
                frame.unlink()
            else:
                head, digits = frame.stem.rstrip("0123456789"), frame.stem
                number = digits[len(head) :]
                frame.rename(frame.with_name(f"{head}{int(number):010d}{frame.suffix}"))
    shutil.copytree(tiny / "truth", root / "truth")
    shutil.copy(tiny / "synthme.json", root / "synthme.json")
    data = open_protocol(megc.protocol, {"megc2021": root}, cache=cache)
    assert data.pairs == megc.pairs
    for key, clip in megc.driving.items():
        assert len(data.driving[key].frames) == len(clip.frames)
        assert np.abs(data.driving[key].frames[0].astype(int) - clip.frames[0]).max() <= 1


def test_a_pack_without_a_template_is_named(tiny, cache, megc, tmp_path):
    shutil.copytree(tiny / "MEGC2021_generation", tmp_path / "MEGC2021_generation")
    (tmp_path / "MEGC2021_generation/target_template_face/normalized_westernMale.jpg").unlink()
    shutil.copytree(tiny / "truth", tmp_path / "truth")
    shutil.copy(tiny / "synthme.json", tmp_path / "synthme.json")
    with pytest.raises(DatasetError, match="no template normalized_westernMale"):
        open_protocol(megc.protocol, {"megc2021": tmp_path}, cache=cache)


def test_one_missing_one_short_and_one_grey_output_are_said(megc, cache, tmp_path):
    missing, short, grey = (pair.key for pair in megc.pairs[:3])

    def frames(pair, made):
        if pair.key == short:
            return made[:-2]
        return np.repeat(made[..., :1], 3, -1) if pair.key == grey else made

    folder = write(tmp_path / "mine", megc, skip=(missing,), frames=frames)
    records, refused = score_many(
        [folder], megc, families=("pixel",), cache=cache, out=tmp_path / "scores"
    )
    assert not refused
    row = records[0].result
    assert records[0].status == "partial"
    assert row.metrics["psnr_db" if "psnr_db" in row.metrics else "onset_fidelity"].n <= 17
    assert set(row.per_clip) == {pair.key for pair in megc.pairs} - {missing}
    told = " | ".join(row.flags)
    length = megc.n_frames(megc.pairs[1])
    assert f"output {missing} is missing" in told
    assert f"output {short} has {length - 2} frames, the driving clip {length}" in told
    assert f"output {grey} is grey, its template has colour" in told
    assert len(row.flags) == 3


def copied(data, noise):
    """Return the frames of an output that is its driving clip, with noise on them."""
    rng = np.random.default_rng(0)

    def frames(pair, made):
        clip = np.asarray(data.driving[pair.driving].frames, np.int16)
        clip = np.clip(clip + rng.integers(-noise, noise + 1, clip.shape), 0, 255)
        # Frame 0 must show the template, or the output is refused.
        return np.concatenate([made[:1], clip[1:].astype(np.uint8)])

    return frames


@pytest.mark.parametrize("noise", [0, 2])
def test_copied_driving_clips_have_no_rank(megc, cache, tmp_path, noise):
    folder = write(tmp_path / "copied", megc, frames=copied(megc, noise))
    records, refused = score_many(
        [folder], megc, families=("pixel",), cache=cache, out=tmp_path / "s"
    )
    assert not refused
    told, count = records[0].result.unranked, len(megc.pairs)
    assert "outputs are copies" in told
    assert told.endswith("of the driving clip")
    if not noise:
        assert told.startswith(f"{count} of {count} outputs")
    assert Record.load(tmp_path / "s" / "copied.json").result.unranked == told


def test_faces_of_somebody_else_have_no_rank(megc, cache, tmp_path):
    few = megc.some(2)

    # Blurred, the driving clip is no copy by its pixels any more, but still another face.
    def frames(pair, made):
        clip = np.asarray(few.driving[pair.driving].frames)
        clip = [cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in clip]
        return np.stack([made[0], *clip[1:]])

    records = {}
    for name, how in (("other", frames), ("own", None)):
        folder = write(tmp_path / name, few, frames=how)
        found, _ = score_many(
            [folder], few, families=("identity",), cache=cache, out=tmp_path / "s"
        )
        records[name] = found[0].result
    assert "identity leak" in records["other"].unranked
    assert records["own"].unranked == ""


def test_an_output_that_is_too_short_is_refused(megc, tmp_path):
    short = megc.pairs[1].key
    folder = write(
        tmp_path / "mine", megc, frames=lambda pair, made: made[:-3] if pair.key == short else made
    )
    wanted = megc.n_frames(megc.pairs[1])
    with pytest.raises(
        SubmissionError,
        match=rf"{short}: {wanted - 3} frames, expected {wanted} \(give or take 2\)",
    ):
        open_submission(folder, requirement_of(megc))


def test_values_by_data_set_and_their_composite(megc, cache, tmp_path):
    folder = write(tmp_path / "mine", megc)
    records, _ = score_many(
        [folder], megc, families=("pixel",), cache=cache, out=tmp_path / "scores"
    )
    row = records[0].result
    assert set(row.by_dataset) == {"casme2", "samm", "smic", "composite"}
    key = "onset_fidelity"
    means = {}
    for part in ("casme2", "samm", "smic"):
        values = [v[key] for pair, v in row.per_clip.items() if f"/{part}." in pair]
        means[part] = sum(values) / len(values)
        assert row.by_dataset[part][key] == pytest.approx(means[part], abs=1e-12)
    assert row.by_dataset["composite"][key] == pytest.approx(sum(means.values()) / 3, abs=1e-12)
    assert Record.load(tmp_path / "scores" / "mine.json").result.by_dataset == row.by_dataset


def test_reconstruction_leaves_one_subject_out(tiny, cache, tmp_path):
    spec = load_protocol("reconstruction").model_copy(
        update={**SMALL, "controls": ("oracle", "copy-template"), "metrics": ("pixel",),
                "rank_by": "psnr_db", "dataset": ("samm", "smic")}
    )  # fmt: skip
    roots = {name: tiny / name for name in ("samm", "smic")}
    data = open_protocol(spec, roots, cache=cache)
    assert [fold.name for fold in data.folds] == sorted({c.subject for c in data.driving.values()})
    for fold in data.folds:
        assert {data.group(pair) for pair in fold.pairs} == {fold.name}
        assert fold.name not in {clip.subject for clip in fold.train}
        assert len(fold.train) + len(fold.pairs) == len(data.pairs)
    pair = data.pairs[0]
    assert pair.template == pair.driving
    assert np.array_equal(data.templates[pair.template].image, data.driving[pair.driving].frames[0])
    assert np.array_equal(data.reference(pair).frames, data.driving[pair.driving].frames)
    with pytest.raises(UsageError, match=r"trains \d times, once a fold"):
        _ = data.train


@pytest.mark.long
def test_a_run_trains_once_a_fold(tiny, tmp_path):
    spec = tmp_path / "mine.yaml"
    spec.write_text(
        "id: mine\ntitle: t\ndataset: samm\nsize: 64\nsplit: {how: leave-one-subject-out}\n"
        "templates: self\nreference: driving\nmetrics: [pixel]\nrank_by: psnr_db\n"
        "controls: [oracle, copy-template]\n"
    )
    quick = {"train.steps": "1", "train.rehearsals": "0"}
    settings = RunSettings("fomm-prior", str(spec), "scratch", overrides=quick)
    place = Place(tmp_path / "run", tmp_path / "cache", {"samm": tiny / "samm"})
    record = run_baseline(settings, place).record
    folds = record.made_by["folds"]
    assert len(folds) >= 2
    for name in folds:
        assert (tmp_path / "run" / "training" / name / "model.pt").is_file()
    assert {group for group in record.groups.values()} == set(folds)
    rows = {row.id: row.metrics["psnr_db"].value for row in record.controls}
    assert rows["oracle"] > record.result.metrics["psnr_db"].value
    assert rows["untrained"] is not None


def test_a_pack_alone_teaches_nothing(tiny, megc, tmp_path):
    settings = RunSettings("fomm-prior", "megc2021", overrides={"train.steps": "1"}, limit=1)
    place = Place(tmp_path / "run", tmp_path / "cache", {"megc2021": tiny})
    with pytest.raises(
        UsageError, match=r"no clips that 'fomm-prior' may learn.*--data casme2=ROOT"
    ):
        run_baseline(settings, place)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (Split(how="leave-one-dataset-out"), {"casme2", "samm"}),
        (Split(how="list", test=("samm.2",)), {"all"}),
        (Split(how="none"), {"all"}),
    ],
)
def test_splits(split, names):
    subjects = ["casme2.1", "casme2.2", "samm.2", "samm.1"]
    found = sets_of(split, subjects, "here")
    assert set(found) == names
    if split.how == "leave-one-dataset-out":
        assert found == {"casme2": {"casme2.1", "casme2.2"}, "samm": {"samm.1", "samm.2"}}
    if split.how == "list":
        assert found["all"] == {"samm.2"}


def test_a_split_that_does_not_fit_is_refused():
    with pytest.raises(UsageError, match=r"no subject 'samm.9'.*Did you mean 'samm.1'"):
        sets_of(Split(how="list", test=("samm.9",)), ["samm.1"], "here")
    with pytest.raises(UsageError, match="needs two or more, the data have samm"):
        sets_of(Split(how="leave-one-dataset-out"), ["samm.1", "samm.2"], "here")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"templates": "pack"}, "templates: pack needs"),
        ({"templates": "files"}, "template_files are given exactly"),
        ({"reference": "driving"}, "reference: driving needs templates: self"),
        ({"dataset": ("synthme", "samm")}, "synthme stands alone"),
        ({"split": {"how": "list"}}, "names subjects exactly"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, words):
    whole = {"id": "x", "title": "x", "dataset": "synthme", "metrics": ["pixel"], "rank_by": "x"}
    with pytest.raises(ValueError, match=words):
        Protocol.model_validate({**whole, **change})


def face_clip(key: str, seed: int, **changes) -> FaceClip:
    import cv2

    rng = np.random.default_rng(seed)
    frames = [cv2.resize(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), (64, 64)) for _ in "ab"]
    subject = ".".join(key.split(".")[:2])
    clip = FaceClip(key, subject, np.stack(frames), np.zeros((68, 2), np.float32), 100.0)
    return replace(clip, **changes)


def test_leaks_are_found_and_nothing_else():
    import cv2

    test = [face_clip("samm.1.a", 1)]
    copy = [
        cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], 1)
        for frame in test[0].frames
    ]
    assert leaks([face_clip("samm.2.a", 2), face_clip("casme2.3.b", 3)], test) == []
    assert leaks([face_clip("samm.1.b", 4)], test) == [
        "subject samm.1 is in the training clips and in the driving clips"
    ]
    darker = (0.8 * np.stack(copy)).astype(np.uint8)
    (line,) = leaks([face_clip("mine.9.z", 5, frames=darker)], test)
    assert line.startswith("training clip mine.9.z shows what driving clip samm.1.a shows")


@pytest.mark.long
def test_augmentation_scores_what_generated_clips_teach(tiny, cache, tmp_path):
    spec = load_protocol("augmentation").model_copy(update={"size": 64, "controls": ()})
    roots = {name: tiny / name for name in ("casme2", "samm", "smic")}
    data = open_protocol(spec, roots, cache=cache)
    labels = {clip.label for clip in data.driving.values()}
    assert labels <= {"negative", "positive", "surprise"}
    assert len(labels) >= 2
    warp = load_baseline("linear-warp", preset="default")
    folder = write(
        tmp_path / "mine",
        data,
        frames=lambda pair, _: warp.generate(
            data.templates[pair.template], data.driving[pair.driving]
        ),
    )
    records, refused = score_many(
        [folder], data, families=("recognition",), cache=cache, out=tmp_path / "scores"
    )
    assert not refused
    metrics = records[0].result.metrics
    assert {"uf1_real", "uf1_generated", "uf1_both", "uar_both"} <= set(metrics)
    for key in ("uf1_real", "uar_both"):
        assert 0 <= metrics[key].value <= 1, metrics[key].failed


def test_fid_is_against_all_clips_of_the_data(tiny, cache, tmp_path):
    """``fid_reference: data`` looks at other frames than the case's own."""
    spec = load_protocol("megc2021").model_copy(update={"size": 64, "controls": ()})
    data = open_protocol(spec, {"megc2021": tiny}, cache=cache).some(3)
    folder = write(tmp_path / "mine", data)
    counts = {}
    for chosen in ("data", "case"):
        changed = replace(
            data, protocol=spec.model_copy(update={"fid_reference": chosen, "id": spec.id})
        )
        records, _ = score_many(
            [folder], changed, families=("distribution",), cache=cache, out=tmp_path / chosen
        )
        metrics = records[0].result.metrics
        assert metrics["fid~seeded"].value > 0
        counts[chosen] = metrics["fid_reference_frames"].value
    assert counts["data"] > counts["case"] > 0


def test_the_fast_flow_has_its_own_column(tiny, tmp_path):
    spec = tmp_path / "mine.yaml"
    spec.write_text(tiny_protocol("action_units", "au_consistency", "copy-template"))
    settings = RunSettings("linear-warp", str(spec), preset="default", limit=1, flow="dis")
    place = Place(tmp_path / "run", tmp_path / "cache", {"synthme": tiny})
    metrics = run_baseline(settings, place).record.result.metrics
    assert "au_consistency~dis" in metrics
    assert "au_consistency" not in metrics


@pytest.fixture
def own(tiny, tmp_path, monkeypatch):
    """Return four people's clips in a folder of one's own, their landmarks given by the config."""
    landmarks = tmp_path / "landmarks"
    landmarks.mkdir()
    sources = {
        ("anna", "a"): ("casme2.01.EP02_01f", "casme2/CASME2_RAW_selected/sub01/EP02_01f"),
        ("bo", "b"): ("casme2.02.EP02_01f", "casme2/CASME2_RAW_selected/sub02/EP02_01f"),
        ("cy", "c"): ("samm.006.006_1_2", "samm/006/006_1_2"),
        ("dee", "d"): ("samm.009.009_1_2", "samm/009/009_1_2"),
    }
    for (subject, clip), (key, folder) in sources.items():
        shutil.copytree(tiny / folder, tmp_path / "own" / subject / clip)
        shutil.copy(
            tiny / "truth/landmarks" / f"{key}.npy", landmarks / f"clips.{subject}.{clip}.npy"
        )
    config = tmp_path / "config.yaml"
    config.write_text(f"landmarks:\n  clips: {landmarks}\n")
    monkeypatch.setenv("MEBENCH_CONFIG", str(config))
    return tmp_path / "own"


@pytest.mark.parametrize("name", ["cross-identity", "reconstruction"])
def test_protocols_on_clips_of_ones_own_are_the_shipped_ones_with_another_data_set(name):
    shipped, own = (load_protocol(one).model_dump() for one in (name, f"{name}-clips"))
    differing = {key for key in shipped if shipped[key] != own[key]}
    assert differing == {"id", "title", "dataset"}
    assert own["dataset"] == ("clips",)


def test_clips_of_ones_own_are_driven_scored_and_stay_on_the_disk(own, cache, tmp_path):
    spec = load_protocol("cross-identity-clips").model_copy(
        update={**SMALL, "split": Split(share=0.5)}
    )
    data = open_protocol(spec, {"clips": own}, cache=cache)
    assert {pair.key for pair in data.pairs} == {
        "clips.dee/clips.cy.c", "clips.cy/clips.dee.d",
    }  # fmt: skip
    assert {clip.subject for clip in data.train} == {"clips.anna", "clips.bo"}
    assert data.gated == ("clips",)
    assert any("200 frames per second assumed for 4 of 4 clips" in note for note in data.told)
    folder = write(tmp_path / "mine", data)
    records, refused = score_many(
        [folder], data, families=("pixel",), cache=cache, out=tmp_path / "scores"
    )
    assert not refused
    assert records[0].dataset.id == "clips"
    assert any("200 frames per second assumed" in note for note in records[0].notes)


def test_a_split_that_leaves_one_test_subject_says_what_to_change(own, cache):
    spec = load_protocol("cross-identity-clips").model_copy(update=SMALL)
    with pytest.raises(
        UsageError, match=r"the split leaves 1 of 4; give more subjects, or another"
    ):
        open_protocol(spec, {"clips": own}, cache=cache)


def test_own_clips_for_a_protocol_without_them_lead_to_the_one_with_them(tmp_path):
    from mebench.cli.options import data_roots

    with pytest.raises(
        UsageError, match=r"--protocol cross-identity-clips or reconstruction-clips"
    ):
        data_roots((f"clips={tmp_path}",), load_protocol("cross-identity").sources)
