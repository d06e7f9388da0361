"""The page on which one labels, served to this machine alone.

Nothing is loaded from elsewhere, and requests that other pages of the browser send are refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from eval.errors import UsageError
from eval.labelling.labels import Answer
from eval.labelling.sheets import Sheets

HOST = "127.0.0.1"
LARGEST_BODY = 1 << 20  # bytes
PICTURES = 512  # kept in memory, about 50 MB at 256 px


def policy(html: str) -> str:
    """The Content-Security-Policy of a page: its one script and one style, pictures of this server, nothing else."""
    hashes = {}
    for name in ("script", "style"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", html, re.DOTALL)
        hashes[name] = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class LabelServer(ThreadingHTTPServer):
    """A server of one page. ``serve_forever`` runs it; ``address`` is where.

    Args:
        sheets: what is labelled.
        questions: name -> the text that the page shows, of those that are put.
        sheet_size: items on one sheet.
        port: 0 takes a free one.

    Raises:
        UsageError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, sheets: Sheets, questions: Mapping[str, str], sheet_size: int, port: int = 0) -> None:
        self.sheets, self.questions, self.sheet_size = sheets, questions, sheet_size
        self.page = files("eval.labelling").joinpath("page.html").read_text(encoding="utf-8")
        self.policy = policy(self.page)
        self._drawing = Lock()
        self._picture = lru_cache(PICTURES)(lambda name: sheets.items[name].picture())
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be used ({error.strerror or error}); choose another --port."
            ) from None

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def picture(self, name: str) -> bytes:
        """An item's picture; a generator draws one at a time."""
        with self._drawing:
            return self._picture(name)

    def sheet(self, question: str) -> dict[str, object]:
        """The next sheet: ids to show, ids that follow them, counts, and whether a classifier proposed them."""
        upcoming, proposed = self.sheets.upcoming(question)
        return {
            "items": upcoming[: self.sheet_size],
            "following": upcoming[self.sheet_size : 2 * self.sheet_size],
            "proposed": proposed,
            "counts": self.sheets.counts(question),
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def store(self, body: Any) -> dict[str, object]:
        """Keep answers ``{"question": name, "answers": {id: true, false or null}}``.

        Raises:
            ValueError: they are not of this form, or of unknown items.
        """
        question, answers = body["question"], body["answers"]
        if question not in self.questions or not isinstance(answers, dict):
            raise ValueError("no such question")
        for name, answer in answers.items():
            if name not in self.sheets.items or question not in self.sheets.items[name].questions:
                raise ValueError("no such item")
            if answer is not None and not isinstance(answer, bool):
                raise ValueError("no such answer")
        kept: dict[str, Answer] = answers
        self.sheets.labels.store(question, kept)
        return {"counts": self.sheets.counts(question)}


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the page, the questions, a sheet or a picture."""
        if not self._from_here():
            return
        try:
            self._get()
        except UsageError as error:  # of whatever makes the pictures
            self._json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _get(self) -> None:
        address = urlsplit(self.path)
        wanted = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/":
            self._answer(self.server.page.encode(), "text/html; charset=utf-8")
        elif address.path == "/questions":
            self._json({"questions": dict(self.server.questions), "file": str(self.server.sheets.labels.path)})
        elif address.path == "/sheet" and wanted.get("question") in self.server.questions:
            self._json(self.server.sheet(wanted["question"]))
        elif address.path == "/picture" and wanted.get("id") in self.server.sheets.items:
            self._answer(self.server.picture(wanted["id"]), "image/png", "private, max-age=3600, immutable")
        elif address.path == "/favicon.ico":  # which browsers ask for by themselves
            self._answer(b"", "image/png")
        else:
            self._json({"error": "There is nothing here."}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Keep answers."""
        if not self._from_here():
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
            json_sent = self.headers.get_content_type() == "application/json"  # a form of another page cannot send it
            if urlsplit(self.path).path != "/answers" or not json_sent or not 0 <= length <= LARGEST_BODY:
                raise ValueError("no answers")
            self._json(self.server.store(json.loads(self.rfile.read(length))))
        except UsageError as error:
            self._json({"error": str(error)}, HTTPStatus.INSUFFICIENT_STORAGE)
        except (ValueError, KeyError, TypeError):
            self.close_connection = True  # the body may be unread
            self._json({"error": "That was no answer to a question of this page."}, HTTPStatus.BAD_REQUEST)

    def _from_here(self) -> bool:
        """Refuse pages of other origins, also those whose name was made to mean this machine."""
        own = {f"{name}:{self.server.server_address[1]}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in own and (origin is None or origin in {f"http://{name}" for name in own}):
            return True
        self.close_connection = True
        self._json({"error": "This page is for this machine alone."}, HTTPStatus.FORBIDDEN)
        return False

    def _json(self, content: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._answer(json.dumps(content).encode(), "application/json", status=status)

    def _answer(self, content: bytes, kind: str, caching: str = "no-store", status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", caching),
            ("Content-Security-Policy", self.server.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """The terminal is not told of every picture."""
