"""A publisher of data sets on this machine: what it has, what it breaks off, and how often it was asked."""

import hashlib
import io
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tifffile
from PIL import Image


class Publisher:
    """Its `files` by path; those in `halved` end in the middle, although their length was said."""

    def __init__(self):
        self.files, self.halved, self.asked = {}, set(), []

    @contextmanager
    def online(self):
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked.append(self.path)
                content = publisher.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if self.path in publisher.halved else content)

            def log_message(self, *_):
                """Tests are quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    def publish(self, dataset, contents, address):
        """The data set with these files at this address; where it had a checksum it has the right one."""
        moved = []
        for remote, content in zip(dataset.files, contents, strict=True):
            path = f"/{remote.name}"
            self.files[path] = content
            checksum = remote.sha256 and hashlib.sha256(content).hexdigest()
            moved.append(replace(remote, url=address + path, sha256=checksum))
        return replace(dataset, files=tuple(moved))


def zipped(members):
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()


def png(array, mode=None):
    with io.BytesIO() as buffer:
        picture = Image.fromarray(array)
        (picture if mode is None else picture.convert(mode)).save(buffer, "PNG")
        return buffer.getvalue()


def tiff(array):
    with io.BytesIO() as buffer:
        tifffile.imwrite(buffer, array, photometric="minisblack")
        return buffer.getvalue()


def sections(count, height=12, width=16, seed=0):
    """Images, and masks of 0 and 1."""
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width), dtype=np.uint8)
    return images, (images > 180).astype(np.uint8)


def vnc_archive(more=()):
    """The layout of the repository on GitHub: three of its masks have 1 bit, the others greys too."""
    images, masks = sections(3)
    grey = 255 * masks[1]
    grey[0, 0] = 30
    members = {"groundtruth-drosophila-vnc-master/README.md": b"Gerhard et al."}
    for place, mask in enumerate((png(255 * masks[0], "1"), png(grey), png(255 * masks[2]))):
        members[f"groundtruth-drosophila-vnc-master/stack1/raw/0{place}.tif"] = tiff(images[place])
        members[f"groundtruth-drosophila-vnc-master/stack1/mitochondria/0{place}.png"] = mask
        members[f"groundtruth-drosophila-vnc-master/stack2/raw/0{place}.tif"] = tiff(images[place])
    masks[1, 0, 0] = 0
    return zipped({**members, **dict(more)}), images, masks
