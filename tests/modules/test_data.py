"""Readers of data, on small files in the formats that others wrote; and what they refuse."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mbcost.errors import MbcostError
from mbcost.modules.data import Data, Part, read

Bytes = NDArray[np.uint8]


def drawn(*shape: int) -> Bytes:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8)


def idx(array: Bytes) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, *, zipped: bool) -> dict[str, Bytes]:
    arrays = {}
    for stem, n in (("train", 7), ("t10k", 3)):
        images, labels = drawn(n, 5, 6), np.arange(n, dtype=np.uint8)
        for name, array in ((f"{stem}-images-idx3", images), (f"{stem}-labels-idx1", labels)):
            raw = idx(array)
            path = folder / f"{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(raw) if zipped else raw)
            arrays[name] = array
    return arrays


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", ["mnist", "fashion-mnist"])
def test_idx_files_are_read_byte_by_byte(kind: str, zipped: bool, tmp_path: Path) -> None:
    arrays = write_idx(tmp_path, zipped=zipped)
    data = read(f"{kind}:{tmp_path}")
    assert (data.train.images[:, 0] == arrays["train-images-idx3"]).all()
    assert (data.test.images[:, 0] == arrays["t10k-images-idx3"]).all()
    assert data.train.labels.tolist() == list(range(7))
    assert data.shape == (1, 5, 6)
    assert data.augment == ("flip" if kind == "fashion-mnist" else "crop")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda raw: raw[:-1], "holds 225 bytes, not the 226 that its header says"),
        (lambda raw: raw + b"x", "holds 227 bytes"),
        (lambda raw: b"\0\0\x0d\x03" + raw[4:], "is no idx file of bytes in 3 dimensions"),
        (lambda raw: b"", "it begins with nothing"),
        (lambda raw: gzip.compress(raw)[:-9], "is no whole gzip file"),
    ],
)
def test_a_damaged_idx_file_is_refused(
    damage: Callable[[bytes], bytes], problem: str, tmp_path: Path
) -> None:
    write_idx(tmp_path, zipped=False)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MbcostError, match=problem) as caught:
        read(f"mnist:{tmp_path}")
    assert caught.value.place == str(path)


def test_the_digest_is_of_every_pixel_and_label() -> None:
    part = Part(drawn(4, 1, 2, 2), np.array([0, 1, 0, 1]))
    pixel, label = part.images.copy(), part.labels.copy()
    pixel[0, 0, 0, 0] ^= 1
    label[0] ^= 1
    found = {
        Data("a", ("x", "y"), *parts).sha256
        for parts in (
            (part, part),
            (part, Part(pixel, part.labels)),
            (Part(part.images, label), part),
        )
    }
    found.add(Data("a", ("x", "z"), part, part).sha256)
    assert len(found) == 4
    assert Data("b", ("x", "y"), part, part).sha256 in found, "the name is not part of it"


def python_2(images: Bytes, labels: list[int]) -> bytes:
    """Return a batch as Python 2 pickled it in 2009, opcode by opcode."""
    n, size = images.shape
    content = images.tobytes()
    return (
        b"\x80\x02}(U\x0bbatch_labelU\x06a few!U\x06labels](K"
        + b"K".join(bytes([label]) for label in labels)
        + b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + b"(K\x01M" + struct.pack("<H", n) + b"M" + struct.pack("<H", size) + b"\x86"
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        + b"K\x00tb\x89T" + struct.pack("<I", len(content)) + content + b"tbu."
    )  # fmt: skip


def python_3(images: Bytes, labels: list[int]) -> bytes:
    return pickle.dumps({b"labels": labels, b"data": images}, protocol=2)


def binary(images: Bytes, labels: list[int]) -> bytes:
    column = np.array(labels, np.uint8)[:, None]
    return np.concatenate([column, images], axis=1).tobytes()


WRITERS = {"python 2": python_2, "python 3": python_3, "binary": binary}


def write_cifar10(folder: Path, how: str) -> tuple[Bytes, list[int]]:
    """Write six batches of three images; return the rows and labels of those to train on."""
    end = ".bin" if how == "binary" else ""
    rows, labels = drawn(18, 3072), [i % 10 for i in range(18)]
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    folder.mkdir()
    for i, name in enumerate(names):
        some = slice(3 * i, 3 * i + 3)
        (folder / f"{name}{end}").write_bytes(WRITERS[how](rows[some], labels[some]))
    return rows[:15], labels[:15]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("how", WRITERS)
def test_cifar10_is_read_in_every_form_it_comes_in(how: str, inside: bool, tmp_path: Path) -> None:
    name = "cifar-10-batches-bin" if how == "binary" else "cifar-10-batches-py"
    rows, labels = write_cifar10(tmp_path / name, how)
    data = read(f"cifar10:{tmp_path if inside else tmp_path / name}")
    assert data.shape == (3, 32, 32)
    assert data.train.images.reshape(-1, 3072).tolist() == rows.tolist()
    assert data.train.labels.tolist() == labels
    assert data.train.images[4, 2, 30, 31] == rows[4][2 * 1024 + 30 * 32 + 31]
    assert data.test.n == 3


class Runs:
    """Writes a file where it is unpickled without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def hostile(path: Path) -> dict[str, bytes]:
    """Return pickles that do harm, or would if a name of theirs were followed."""
    call = f"(S'mkdir {path}'\ntR.".encode()
    return {
        "a call": pickle.dumps({b"data": Runs(path), b"labels": []}, 2),
        "os.system": b"cos\nsystem\n" + call,
        "a builtin": b"c__builtin__\neval\n" + call,
        "through an attribute": b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.os.system\x93" + call,
        "numpy's own loader": b"cnumpy\nload\n" + call,
        "an instance": f"(S'mkdir {path}'\nios\nsystem\n.".encode(),
        "a changed function": b"c_codecs\nencode\n}b.",
        "a changed class": b"cnumpy\nndarray\nN}U\x01xK\x01s\x86b.",
        "an array of objects": pickle.dumps({b"data": np.array([Runs(path)])}, 2),
        "a persistent name": b"Pname\n.",
        "a length without end": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
        "a memo without end": b"\x80\x02Nr\xff\xff\xff\xff.",
        "nothing": b"",
        "text": b"<html>not found</html>",
        "a list": pickle.dumps([1]),
        "floats": pickle.dumps({b"data": np.zeros((1, 3072)), b"labels": [1]}, 2),
        "a shape that lies": python_2(drawn(1, 3072), [1]).replace(b"(K\x01M\x01", b"(K\x01M\x02"),
        "a label of eleven": python_3(drawn(1, 3072), [11]),
        "no labels": pickle.dumps({b"data": drawn(1, 3072)}, 2),
    }


@pytest.mark.parametrize("name", hostile(Path("x")))
def test_a_pickle_that_is_not_of_images_is_refused_and_runs_nothing(
    name: str, tmp_path: Path
) -> None:
    folder, harm = tmp_path / "batches", tmp_path / "harm"
    write_cifar10(folder, "python 2")
    (folder / "data_batch_3").write_bytes(hostile(harm)[name])
    with pytest.raises(MbcostError) as caught:
        read(f"cifar10:{folder}")
    assert caught.value.place == str(folder / "data_batch_3")
    assert not harm.exists()


@pytest.mark.parametrize("name", ["a call", "os.system", "an instance"])
def test_those_pickles_do_harm_where_they_are_followed(name: str, tmp_path: Path) -> None:
    """The probe can fail: what is refused above is run by the unpickler of Python."""
    pickle.loads(hostile(tmp_path / "harm")[name])
    assert (tmp_path / "harm").is_dir()


def write_images(folder: Path, mode: str = "RGB", side: int = 6) -> None:
    for part, n in (("train", 3), ("test", 2), ("val", 1)):
        for label, name in enumerate(("cat", "dog")):
            (folder / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = drawn(side, side, 3) // 2 + 60 * label + i
                image = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
                image.save(folder / part / name / f"{i}.png")


def test_folders_of_images_are_read_pixel_by_pixel(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no image")
    data = read(f"images:{tmp_path}")
    assert data.classes == ("cat", "dog")
    assert data.shape == (3, 6, 6)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.val is not None
    assert data.val.labels.tolist() == [0, 1]
    assert data.train.images[4, :, 1, 2].tolist() == (drawn(6, 6, 3)[1, 2] // 2 + 61).tolist()


def test_grey_images_have_one_channel_and_a_size_makes_them_one(tmp_path: Path) -> None:
    write_images(tmp_path, "L")
    Image.fromarray(drawn(9, 12)).save(tmp_path / "train" / "dog" / "wide.png")
    with pytest.raises(MbcostError, match=r"is 9×12 pixels, others are 6×6 .--size makes them"):
        read(f"images:{tmp_path}")
    data = read(f"images:{tmp_path}", (4, 4))
    assert data.shape == (1, 4, 4)
    assert data.train.n == 7


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda f: (f / "test" / "dog" / "0.png").write_bytes(b"\x89PNG"), "as an image"),
        (lambda f: (f / "test" / "cow").mkdir(), "has a class 'cow' that train has not"),
        (lambda f: os.rename(f / "test", f / "tests"), "has no train and test in it"),
    ],
)
def test_a_folder_that_is_not_of_images_is_refused(
    spoil: Callable[[Path], object], problem: str, tmp_path: Path
) -> None:
    write_images(tmp_path)
    spoil(tmp_path)
    with pytest.raises(MbcostError, match=problem):
        read(f"images:{tmp_path}")


ARRAYS: dict[str, Any] = {
    "x_train": drawn(5, 4, 6),
    "y_train": np.array([0, 1, 2, 0, 1]),
    "x_test": drawn(2, 4, 6),
    "y_test": np.array([[2], [0]], np.uint8),
}


def test_npz_files_are_read_with_channels_last_or_none(tmp_path: Path) -> None:
    file = tmp_path / "some.npz"
    np.savez(file, **ARRAYS)
    data = read(str(file))
    assert (data.name, data.classes, data.shape) == ("some.npz", ("0", "1", "2"), (1, 4, 6))
    assert (data.train.images[:, 0] == ARRAYS["x_train"]).all()
    assert data.test.labels.tolist() == [2, 0]
    colours: dict[str, Any] = {
        key.replace("x_", "").replace("y_", "") + ("_images" if key[0] == "x" else "_labels"): (
            drawn(len(value), 4, 6, 3) if key[0] == "x" else value
        )
        for key, value in ARRAYS.items()
    }
    np.savez_compressed(file, **colours)
    data = read(str(file))
    assert data.shape == (3, 4, 6)
    assert data.train.images[1, 2, 3, 4] == colours["train_images"][1, 3, 4, 2]


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({k: v for k, v in ARRAYS.items() if k != "y_test"}, "lacks x_test and y_test"),
        ({**ARRAYS, "x_train": ARRAYS["x_train"] / 255}, "is 5×4×6 of float64"),
        ({**ARRAYS, "y_train": np.array([0.5] * 5)}, "is 5 of float64"),
        ({**ARRAYS, "y_train": np.array([-1, 0, 1, 2, 0])}, "labels from -1 to 2 for 3 classes"),
        ({**ARRAYS, "y_train": np.array([0, 1])}, "5 images and 2 labels"),
        ({**ARRAYS, "x_test": drawn(2, 4, 7)}, "images are 1×4×7, those to train on 1×4×6"),
        ({**ARRAYS, "y_train": np.array([Runs(Path("harm"))] * 5)}, "cannot be read: Object"),
        ({**ARRAYS, "y_train": np.array([2**40] * 5)}, "131,072 classes"),
    ],
)
def test_an_npz_file_that_does_not_fit_is_refused(
    arrays: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(MbcostError, match=problem):
        read(str(tmp_path / "some.npz"))


def test_a_torn_npz_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", **ARRAYS)
    raw = (tmp_path / "some.npz").read_bytes()
    for torn in (raw[:-30], raw[:100], b"", b"PK"):
        (tmp_path / "some.npz").write_bytes(torn)
        with pytest.raises(MbcostError, match="cannot be read"):
            read(str(tmp_path / "some.npz"))


def test_digits_are_those_of_scikit_learn_and_parted_by_their_pixels() -> None:
    from sklearn.datasets import load_digits

    data = read("digits")
    assert (data.train.n, data.test.n, data.shape) == (1438, 359, (1, 32, 32))
    parted = [
        (image[0, ::4, ::4].tobytes(), int(label))
        for part in (data.train, data.test)
        for image, label in zip(*part, strict=True)
    ]
    whole = load_digits()
    grey = np.round(whole.images * 255 / 16).astype(np.uint8)
    assert sorted(parted) == sorted(
        (image.tobytes(), int(label)) for image, label in zip(grey, whole.target, strict=True)
    )
    assert (data.train.images[:, :, ::4, ::4].repeat(4, 2).repeat(4, 3) == data.train.images).all()
    assert np.bincount(data.test.labels, minlength=10).min() >= 25, "every class is tested"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("fashion-mnist:none", "none: has no train-images-idx3-ubyte.*dataset-fashion-mnist"),
        ("cifar10:none", "none: has neither data_batch_1.*fetch cifar-10-python.tar.gz"),
        ("images:none", "none: has no train and test in it .folders train/CLASS"),
        ("none.npz", "none.npz: cannot be read: No such file"),
        ("imagenet:x", "unknown data 'imagenet:x'"),
        ("digits:x", "digits have no folder"),
        ("mnist:", "no folder .mnist:DIR"),
        ("mnist:\0", "cannot be read: embedded null"),
        ("images:\0", "has no train and test"),
        ("npz:x", "unknown data"),
    ],
)
def test_what_is_missing_says_what_to_fetch(
    source: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MbcostError, match=problem):
        read(source)
