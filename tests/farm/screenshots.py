"""Creates the pictures of the farm in docs/pictures: ``python -m tests.farm.screenshots``. Needs Chromium."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from PIL import Image

from airflow_provider_renderbus.farm import ManualClock
from airflow_provider_renderbus.farm.pictures.formats import to_eight_bits
from airflow_provider_renderbus.farm.pictures.passes import Pass
from airflow_provider_renderbus.farm.pictures.picture import render_frame
from dev.harness.embedded_farm import StockedFarm
from tests.farm.browser import chromium
from tests.farm.raw_client import STOP, RawClient, job, maya_job

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": "320", "height": "180"}
GAP = 24


def submit_tasks(client):
    """Submit tasks that end in different states; return the id of the one that renders."""
    farm = client.farm
    client.submit(job("sh010.blend", "1-24[1]", **SIZE))
    client.submit(job("sh020.blend", "1-24[1]", **SIZE))
    layers = maya_job(("beauty", "colour", "shadow", "depth"), "1-12[1]")
    for layer in layers["scene_info_render"].values():
        layer["common"].update(SIZE)
    client.submit(layers)
    client.submit(job("lobby_v012.blend", "1-16[1]", **SIZE))
    farm.advance(700)
    stopped = client.submit(job("sh050.blend", "1-48[1]", **SIZE))
    farm.advance(260)
    rendering = client.submit(job("sh030.blend", "1-30[1]", **SIZE))
    client.call(STOP, taskIds=[stopped])
    farm.advance(330)
    client.submit(job("sh060.blend", "1-240[1]", **SIZE))
    return rendering


def screenshot(browser, address, width, height, *, dark=False):
    """A screenshot of a page."""
    browser.set_size(width, height, dark=dark)
    browser.open(address)
    return browser.screenshot()


def side_by_side(images, name, gap=GAP, colours=256):
    """Write images side by side; ``colours`` is the size of the palette, 0 for true colour."""
    width = sum(image.width for image in images) + gap * (len(images) - 1)
    canvas = Image.new("RGB", (width, images[0].height), "gray")
    left = 0
    for image in images:
        canvas.paste(image, (left, 0))
        left += image.width + gap
    if colours:
        canvas = canvas.quantize(colours, dither=Image.Dither.NONE)
    canvas.save(PICTURES / name, optimize=True)


def main():
    """Create all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    passes = [to_eight_bits(render_frame("sh030", 3, 320, 180, each)) for each in Pass]
    side_by_side(passes, "farm-passes.png", gap=8, colours=0)
    renders = [{"scene": "lobby*", "fail_frames": "5,11"}]
    with (
        tempfile.TemporaryDirectory() as folder,
        StockedFarm(Path(folder) / "farm", ManualClock(time.time()), scenario={"renders": renders}) as farm,
        chromium(f"{folder}/chromium") as browser,
    ):
        task = f"http://{farm.address}/task/{submit_tasks(RawClient(farm))}"
        home = f"http://{farm.address}/"
        side_by_side([screenshot(browser, home, 1100, 800)], "farm.png")
        side_by_side([screenshot(browser, task, 1100, 800, dark=True)], "farm-task.png")
        phones = [screenshot(browser, home, 390, 780, dark=True), screenshot(browser, task, 390, 780)]
        side_by_side(phones, "farm-phone.png")


if __name__ == "__main__":
    main()
