"""Bundles that go out and come back in, and tars that are no bundle."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import toy
from bundles import EMBEDDING_SHAPES, LORA_SHAPES, Files, foreign, write
from concept_client import ConceptdError, Daemon


@pytest.fixture(scope="module")
def files(reference: bytes) -> Files:
    """The files of a good bundle."""
    with tarfile.open(fileobj=io.BytesIO(reference)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def tensors(file: bytes) -> tuple[dict, bytes]:
    """Names, kinds, shapes and values of a safetensors file."""
    length = struct.unpack("<Q", file[:8])[0]
    header = json.loads(file[8 : 8 + length])
    header.pop("__metadata__", None)
    return header, file[8 + length :]


def renamed(file: bytes, change: Callable[[str], str]) -> bytes:
    """The same tensors under other names and without a word about where they come from."""
    header, values = tensors(file)
    text = json.dumps({change(name): tensor for name, tensor in header.items()}).encode()
    return struct.pack("<Q", len(text)) + text + values


def test_a_bundle_comes_back_under_another_name(daemon: Daemon, files: Files, reference: bytes, tmp_path: Path) -> None:
    (tmp_path / "kojii.tar").write_bytes(reference)
    concept = daemon.import_concept(tmp_path / "kojii.tar", "object", name="Copy of Kojii")
    assert (concept["name"], concept["stem"], concept["version"]) == ("Copy of Kojii", "copy_of_kojii", 1)
    assert (concept["source"], concept["job"], concept["tokens"], concept["family"]) == ("imported", None, 3, "sdxl")
    with tarfile.open(daemon.bundle(concept, tmp_path)) as tar:
        back = {member.name: tar.extractfile(member).read() for member in tar}
    assert set(back) == {"copy_of_kojii_lora.safetensors", "copy_of_kojii_embeddings.safetensors"}
    for name, content in files.items():
        assert tensors(back[name.replace("kojii", "copy_of_kojii")]) == tensors(content)
    [picture] = daemon.create("<concept>", [concept], base=toy.BASE, width=128, height=128, steps=1)
    assert picture.startswith(b"\x89PNG")
    text = daemon.expand_prompt("Copy of Kojii at night", "a1111", [concept["id"]])["text"]
    assert text == "copy_of_kojii_embeddings at night <lora:copy_of_kojii_lora:1>"


def test_a_second_import_is_a_version_unless_it_has_the_key(daemon: Daemon, reference: bytes, tmp_path: Path) -> None:
    tar = tmp_path / "kojii.tar"
    tar.write_bytes(reference)
    first = daemon.import_concept(tar, "object", name="Twice", idempotency_key="import")
    assert daemon.import_concept(tar, "object", name="Twice", idempotency_key="import") == first
    second = daemon.import_concept(tar, "object", name="Twice")
    assert (second["version"], second["stem"]) == (2, "twice-v2")


def test_a_concept_from_elsewhere_is_loaded_by_every_host(daemon: Daemon, tmp_path: Path) -> None:
    tar = write(tmp_path / "eden.tar", foreign(LORA_SHAPES, EMBEDDING_SHAPES))
    concept = daemon.import_concept(tar, "face", name="From Eden")
    assert (concept["mode"], concept["tokens"], concept["base_sha256"]) == ("face", 2, None)
    assert (concept["family"], concept["base_nonstandard"]) == ("sdxl", False)
    with tarfile.open(daemon.bundle(concept, tmp_path)) as back:
        header, _ = tensors(back.extractfile("from_eden_lora.safetensors").read())
    site = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    assert {f"{site}.lora_down.weight", f"{site}.lora_up.weight"} <= set(header), "kohya's names"
    with pytest.raises(ConceptdError) as refusal:
        daemon.create("<concept>", [concept])
    assert (refusal.value.status, refusal.value.field) == (422, "base"), "its base is not known"


@pytest.mark.parametrize(
    ("lora", "embeddings"),
    [
        pytest.param(LORA_SHAPES, {"clip_l": [2, 768]}, id="one encoder"),
        pytest.param(LORA_SHAPES, {"clip_l": [2, 64], "clip_g": [2, 1280]}, id="narrow embeddings"),
        pytest.param(LORA_SHAPES, {"clip_l": [2, 768], "clip_g": [3, 1280]}, id="different tokens"),
        pytest.param(LORA_SHAPES, {"clip_l": [0, 768], "clip_g": [0, 1280]}, id="no tokens"),
        pytest.param(LORA_SHAPES, {"clip_l": [], "clip_g": []}, id="numbers for embeddings"),
        pytest.param({key: [4, 4] for key in LORA_SHAPES}, EMBEDDING_SHAPES, id="narrow LoRA"),
        pytest.param({"lora_unet_nowhere.lora_down.weight": [4, 640]}, EMBEDDING_SHAPES, id="unknown layer"),
        pytest.param({}, EMBEDDING_SHAPES, id="empty LoRA"),
    ],
)
def test_a_bundle_that_no_host_could_load_is_refused(
    daemon: Daemon, lora: dict, embeddings: dict, tmp_path: Path
) -> None:
    with pytest.raises(ConceptdError) as refusal:
        daemon.import_concept(write(tmp_path / "eden.tar", foreign(lora, embeddings)), "face")
    assert (refusal.value.status, refusal.value.code, refusal.value.field) == (422, "bundle", "file")


def cut(file: bytes) -> bytes:
    """The first half."""
    return file[: len(file) // 2]


LORA, EMBEDDINGS = "kojii_lora.safetensors", "kojii_embeddings.safetensors"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda files: {LORA: files[LORA]}, id="without embeddings"),
        pytest.param(lambda files: {EMBEDDINGS: files[EMBEDDINGS]}, id="without LoRA"),
        pytest.param(lambda files: {}, id="empty"),
        pytest.param(lambda files: {**files, LORA: b"no safetensors"}, id="LoRA that is none"),
        pytest.param(lambda files: {**files, LORA: cut(files[LORA])}, id="truncated LoRA"),
        pytest.param(lambda files: {**files, EMBEDDINGS: cut(files[EMBEDDINGS])}, id="truncated embeddings"),
        pytest.param(lambda files: {**files, EMBEDDINGS: files[LORA]}, id="LoRA for embeddings"),
        pytest.param(
            lambda files: {**files, LORA: renamed(files[LORA], lambda name: f"transformer.{name}")}, id="another model"
        ),
        pytest.param(lambda files: {"notes.txt": b"hello", "picture.png": b"x"}, id="another tar"),
        pytest.param(lambda files: {**files, LORA: struct.pack("<Q", 1 << 62) + b"{}"}, id="header beyond all memory"),
    ],
)
def test_what_is_no_bundle_is_refused(
    daemon: Daemon, files: Files, change: Callable[[Files], Files], tmp_path: Path
) -> None:
    before = [concept["id"] for concept in daemon.concepts()]
    with pytest.raises(ConceptdError) as refusal:
        daemon.import_concept(write(tmp_path / "bad.tar", change(files)), "object", name="Bad")
    assert (refusal.value.status, refusal.value.code, refusal.value.field) == (422, "bundle", "file")
    assert len(refusal.value.detail) > 20
    assert [concept["id"] for concept in daemon.concepts()] == before


def test_fields_of_an_import(daemon: Daemon, reference: bytes, tmp_path: Path) -> None:
    tar = tmp_path / "kojii.tar"
    tar.write_bytes(reference)
    for mode, name, field in [("animal", "x", "mode"), ("object", "../x", "name"), ("object", "", "name")]:
        with pytest.raises(ConceptdError) as refusal:
            daemon.import_concept(tar, mode, name=name)
        assert (refusal.value.status, refusal.value.code, refusal.value.field) == (422, "invalid", field)
    tar.write_bytes(b"this is no tar at all")
    with pytest.raises(ConceptdError) as refusal:
        daemon.import_concept(tar, "object")
    assert (refusal.value.status, refusal.value.code) == (422, "bundle")


def test_members_that_lead_elsewhere_write_nothing(daemon: Daemon, files: Files, tmp_path: Path) -> None:
    outside = {f"../../outside/{name}": content for name, content in files.items()}
    try:
        concept = daemon.import_concept(write(tmp_path / "up.tar", outside), "object", name="Up")
        assert concept["stem"] == "up"
    except ConceptdError as refusal:
        assert refusal.code == "bundle"
    assert not list(daemon.home.parent.rglob("outside"))
