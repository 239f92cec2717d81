"""The decode case's contestant: torchvision's transform on Pillow, in as many processes as there are cores.

    python bench/pillow.py FOLDER PROCESSES

Answers every line on standard input with the seconds for all images of the folder and the seconds of processor time
in them, as float32 tensors that are dropped where they were made: nothing is paid for handing them over.
"""

import pathlib
import sys
import time
from multiprocessing import Pool

import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

TRANSFORM = Compose(
    [Resize(256), CenterCrop(224), ToTensor(), Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
)


def load(path):
    started = time.process_time()
    with open(path, "rb") as file:
        TRANSFORM(Image.open(file).convert("RGB"))
    return time.process_time() - started


if __name__ == "__main__":
    folder, processes = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    files = sorted(folder.iterdir())
    torch.set_num_threads(1)
    with Pool(processes, torch.set_num_threads, [1]) as pool:
        print(f"Pillow {PIL.__version__}, torchvision {torchvision.__version__}", flush=True)
        for _ in sys.stdin:
            started = time.perf_counter()
            processor = sum(pool.map(load, files, chunksize=8))
            print(time.perf_counter() - started, processor, flush=True)
