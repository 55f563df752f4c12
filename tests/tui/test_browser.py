"""The interface in a browser: `textual serve` and a headless Chromium that types into it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.limits import HANG_SECONDS
from tests.tui.stores import small_store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; .ci/run installs it where it may"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all its children, for as long as the block lasts."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


class Page:
    """One browser page through the DevTools protocol: keys in, and all that the terminal in it was sent."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.shown = ""
        """The text of every frame that the page received, escape sequences removed."""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._hear()
            if message.get("id") == number:
                return message

    async def _hear(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json()
        if message.get("method") == "Network.webSocketFrameReceived":
            frame = message["params"]["response"]
            payload = frame["payloadData"]
            text = base64.b64decode(payload).decode(errors="replace") if frame["opcode"] == 2 else payload
            self.shown += re.sub(r"(?:\x1b|\\u001b)\[[0-9;?]*[a-zA-Z]", "", text)
        return message

    async def wait_for(self, words: str) -> None:
        """Until the terminal has been sent these words (since `forget`)."""
        while words not in self.shown:
            await self._hear()

    def forget(self) -> None:
        self.shown = ""

    async def press(self, key: str) -> None:
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Page]:
    """A headless browser's page; everything of the network is recorded from before it loads."""
    port = free_port()
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1400,900",
    ]
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        *flags,
        f"--user-data-dir={folder}",
        f"--remote-debugging-port={port}",
        "about:blank",
    ]
    with running(command):
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                        pages = [page for page in await answer.json() if page["type"] == "page"]
                        if pages:
                            break
                await asyncio.sleep(0.1)
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Network.enable")
                while True:  # until the server listens
                    loaded = await page.call("Page.navigate", url=url)
                    if "errorText" not in loaded["result"]:
                        break
                    await asyncio.sleep(0.2)
                yield page


async def test_two_browsers_show_the_sweeps_and_take_keys_each_for_itself(tmp_path: Path) -> None:
    """`textual serve` on localhost, two browsers at once: each draws the Sweeps screen; `4` brings the scaling curve of the
    real store in the one, `2` Compose in the other, and the first sees nothing of the second's key."""
    database, port = tmp_path / "sweep.db", free_port()
    small_store(database)
    hvdsweep = Path(sys.executable).with_name("hvdsweep")
    serve = [
        str(Path(sys.executable).with_name("textual")),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    with running([*serve, "--command", f"{hvdsweep} tui --db {database}"], env=environment):
        async with asyncio.timeout(HANG_SECONDS), contextlib.AsyncExitStack() as stack:
            address = f"http://127.0.0.1:{port}"
            pages = [
                await stack.enter_async_context(opened(address, tmp_path / name)) for name in ("one", "two")
            ]
            for page in pages:
                await page.wait_for("Sweeps")
                await page.wait_for("Quit")
                await page.call("Runtime.evaluate", expression="document.querySelector('textarea')?.focus()")
                page.forget()
            for page, key, words in zip(pages, "42", ("batch size", "data set"), strict=True):
                await page.press(key)
                await page.wait_for(words)
            # What a key of the second had changed in the first would arrive before the answer to this one.
            await pages[0].press("1")
            await pages[0].wait_for("lost")
            assert "data set" not in pages[0].shown
