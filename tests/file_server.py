"""A web server on this machine that behaves as well or as badly as a test wants, and keeps account."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer:
    """Serves `files` by name while it is entered. Its attributes say how, and may change any time."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.takes_ranges = True
        self.framing = "length"  # or "chunked", or "close": nothing says how much will come
        self.cut_after: int | None = None  # bytes of an answer, then the connection is closed
        self.pause_s = 0.0  # between pieces
        self.piece_bytes = 16_384
        self.status = 200
        self.shift = 0  # by how many bytes a range begins elsewhere than it was asked to
        self.asked: list[tuple[str, str | None]] = []  # name, Range header
        self.sent: list[int] = []  # bytes of content in every answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/models"

    def __enter__(self) -> "FileServer":
        account = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                account.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments: Any) -> None:
                pass  # a client that left

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        name = to.path.rpartition("/")[2]
        wanted = to.headers.get("Range")
        self.asked.append((name, wanted))
        content = self.files.get(name) if to.path == f"/models/{name}" else None
        if content is None or self.status != 200:
            to.send_error(self.status if content is not None else 404)
            return
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.takes_ranges else 0
        if begin and begin >= len(content):
            to.send_response(416)
            to.send_header("Content-Range", f"bytes */{len(content)}")
            to.end_headers()
            return
        begin += self.shift if begin else 0
        to.protocol_version = "HTTP/1.1" if self.framing == "chunked" else "HTTP/1.0"
        to.send_response(206 if begin else 200)
        to.send_header("Connection", "close")
        if begin:
            to.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        if self.framing == "length":
            to.send_header("Content-Length", str(len(content) - begin))
        elif self.framing == "chunked":
            to.send_header("Transfer-Encoding", "chunked")
        to.end_headers()
        self._send(to, content[begin:])
        to.close_connection = True

    def _send(self, to: BaseHTTPRequestHandler, content: bytes) -> None:
        answer = len(self.sent)
        self.sent.append(0)
        framing, whole = self.framing, content
        content = content[: self.cut_after]
        for at in range(0, len(content), self.piece_bytes):
            piece = content[at : at + self.piece_bytes]
            if framing == "chunked":
                to.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            else:
                to.wfile.write(piece)
            self.sent[answer] += len(piece)
            time.sleep(self.pause_s)
        if framing == "chunked" and content == whole:
            to.wfile.write(b"0\r\n\r\n")
