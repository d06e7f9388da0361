import http.client
import json
import shutil

import pytest

from eval.errors import UsageError
from eval.labelling.server import LabelServer, policy

JSON = {"Content-Type": "application/json"}


def ask(server, method, path, body=None, headers=None):
    """Status, headers and content of the answer."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=60)
    connection.request(method, path, body if body is None else json.dumps(body), headers or {})
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, reply.headers, content


def test_only_this_machine_is_served(server):
    assert server.server_address[0] == "127.0.0.1" and server.address.startswith("http://127.0.0.1:")


def test_the_page_allows_nothing_from_elsewhere(server):
    status, headers, content = ask(server, "GET", "/")
    assert status == 200 and b"<script>" in content
    allowed = headers["Content-Security-Policy"]
    assert allowed.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in allowed
    assert b"http:" not in content and b"https:" not in content


def test_the_hash_in_the_policy_is_that_of_the_script():
    # of "alert('Hello, world.');", the example of the Content Security Policy specification
    html = "<style></style><script>alert('Hello, world.');</script>"
    assert "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=" in policy(html)


def test_sheets_and_answers(server, tmp_path):
    first = json.loads(ask(server, "GET", "/sheet?question=hat")[2])
    assert first["items"] == [str(n) for n in range(12)] and first["following"] == [str(n) for n in range(12, 24)]
    assert not first["proposed"]
    answers = {str(n): n % 2 == 1 for n in range(11)} | {"11": None}
    status, _, content = ask(server, "POST", "/answers", {"question": "hat", "answers": answers}, JSON)
    assert status == 200 and json.loads(content)["counts"] == {"yes": 5, "no": 6, "unsure": 1, "left": 18}
    assert (tmp_path / "labels.csv").read_text().splitlines()[:3] == ["seed,hat,grey_hair", "0,0,", "1,1,"]
    then = json.loads(ask(server, "GET", "/sheet?question=hat")[2])
    assert then["proposed"] and all(int(name) % 2 for name in then["items"][:9])  # the odd ones first


def test_pictures(server):
    status, headers, content = ask(server, "GET", "/picture?id=3")
    assert status == 200 and headers["Content-Type"] == "image/png" and content.startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["/picture?id=99", "/picture?id=../labels.csv", "/sheet?question=age", "/labels.csv"])
def test_nothing_else_is_there(server, path):
    assert ask(server, "GET", path)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "127.0.0.1:1"}],
)
def test_other_pages_of_the_browser_are_refused(server, tmp_path, headers):
    assert ask(server, "GET", "/sheet?question=hat", headers=headers)[0] == 403
    body = {"question": "hat", "answers": {"1": True}}
    assert ask(server, "POST", "/answers", body, JSON | headers)[0] == 403
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"question": "hat", "answers": {"1": True}}, {"Content-Type": "text/plain"}),
        ({"question": "age", "answers": {"1": True}}, JSON),
        ({"question": "hat", "answers": {"99": True}}, JSON),
        ({"question": "hat", "answers": {"1": 1}}, JSON),
        ({"question": "hat", "answers": ["1"]}, JSON),
        ([], JSON),
        ({}, JSON),
        ({"question": {}, "answers": {}}, JSON),
        ({"question": "hat", "answers": {"1": True}}, JSON | {"Content-Length": "99999999"}),
        ({"question": "hat", "answers": {"1": True}}, JSON | {"Content-Length": "-1"}),
    ],
)
def test_what_is_no_answer_is_refused(server, tmp_path, body, headers):
    assert ask(server, "POST", "/answers", body, headers)[0] == 400
    assert not (tmp_path / "labels.csv").exists()


def test_an_unwritable_file_is_told(server, tmp_path):
    server.sheets.labels.path = tmp_path / "in the way" / "labels.csv"
    (tmp_path / "in the way").write_text("")
    status, _, content = ask(server, "POST", "/answers", {"question": "hat", "answers": {"1": True}}, JSON)
    assert status == 507 and "labels.csv" in json.loads(content)["error"]


def test_a_picture_that_cannot_be_made_is_told(server):
    def fail():
        raise UsageError("The generator is missing.")

    object.__setattr__(server.sheets.items["7"], "picture", fail)
    status, _, content = ask(server, "GET", "/picture?id=7")
    assert status == 500 and json.loads(content) == {"error": "The generator is missing."}


def test_a_port_that_is_taken(server):
    with pytest.raises(UsageError, match="choose another --port"):
        LabelServer(server.sheets, server.questions, 12, server.server_address[1])


def test_labels_outlive_the_server(server, tmp_path):
    ask(server, "POST", "/answers", {"question": "hat", "answers": {"1": True}}, JSON)
    shutil.copy(tmp_path / "labels.csv", tmp_path / "copy.csv")
    assert "1,1," in (tmp_path / "copy.csv").read_text()
