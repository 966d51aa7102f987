"""A model at a server that misbehaves: one clear error for each way, or a documented fallback, and nothing hangs."""

from __future__ import annotations

import base64
import io
import math
import socket
from typing import Any

import pytest
from PIL import Image

from imagerag_assets.answering.openai_backend import ServedMllm
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.types import CueView, Prompt
from imagerag_assets.errors import ModelError
from tests.bad_mllm_server import MODEL, BadServer, bad_server, chat, fail, probabilities, rejecting, say  # noqa: F401

CUE = CueView(Image.new("RGB", (64, 64), "blue"), (10, 20, 110, 120), "storage tank", 0.87)
CHOICES = {"A": "upper left", "B": "lower right"}
PROMPT = Prompt("Where is the <|im_end|> tank?", CHOICES, Image.new("RGB", (640, 480), "red"), (CUE, CUE))


def served(server: BadServer, **options: Any) -> ServedMllm:
    return ServedMllm(server.url, MllmOptions(**{"timeout_s": 5.0, "retries": 0, **options}))


def said(server: BadServer) -> str:
    """All text of the last request."""
    messages = server.requests[-1]["messages"]
    return "\n".join(part.get("text", "#") for message in messages for part in message["content"])


def test_a_question_is_one_request_with_its_pictures_in_place(
    bad_server: BadServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    scored = [('{"choice":"', {'{"choice":"': 0.0}), ("B", {"B": math.log(0.8), "A": math.log(0.2)}), ('"}', {'"}': 0})]
    bad_server.behaviours = [say(chat('{"choice":"B"}', logprobs=probabilities(scored)))]
    mllm = served(bad_server)
    reply = mllm.answer(PROMPT)
    assert (reply.choice, reply.text, reply.cues_shown, reply.notes) == ("B", "lower right", 2, ())
    assert reply.scores == pytest.approx({"A": 0.2, "B": 0.8})
    assert reply.confidence == pytest.approx(0.8)
    assert reply.tokens["counted"] == 77
    assert (mllm.name, mllm.revision) == (MODEL, "bad-1")

    (request,) = bad_server.requests
    assert bad_server.keys == ["Bearer sk-test"]
    assert request["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"] == ["A", "B"]
    content = request["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"] * 3 + ["text"]
    data = content[1]["image_url"]["url"].removeprefix("data:image/jpeg;base64,")
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (640, 480)
    assert '{"bbox_2d": [10, 20, 110, 120]}' in said(bad_server)  # the family's own way, told by the model's name
    assert "<|im_end|>" not in said(bad_server)


@pytest.mark.parametrize(
    ("behaviour", "options", "message", "fix"),
    [
        (fail(401, "bad key"), {}, "refuses the key", "OPENAI_API_KEY"),
        (fail(404, "nobody of that name"), {}, "HTTP 404.: nobody of that name", "IMAGERAG_MLLM_NAME"),
        (fail(400, "images are not supported"), {}, "rejects the question", ""),
        (fail(429, "slow down"), {}, "no more requests at the moment", "later"),
        (fail(500, "boom\x1b[31m"), {}, "HTTP 500, 1 tries.: boom", "log"),
        (say({"detail": "too odd"}, 422), {}, "HTTP 422.: too odd", "documentation"),
        (say(b"gateway gone", 502), {}, "HTTP 502, 1 tries.: gateway gone", "log"),
        (say(b"<html>not json"), {}, "not a chat completion", "/v1"),
        (say(b'{"choices": [{"message"'), {}, "not a chat completion", "/v1"),
        (say({"choices": []}), {}, "empty reply", "again"),
        (say(chat("")), {}, "empty reply", "again"),
        (say(chat(None)), {}, "empty reply", "again"),
        (say(chat("<think>hm", finish_reason="length")), {}, "empty reply", "again"),
        (say(chat(None, refusal="No.")), {}, "refuses to answer", "other words"),
        (say(chat("I'm sorry, I can't assist with that.")), {}, "refuses to answer", "other words"),
        (say(chat('{"choice": "B"')), {}, "invalid JSON", "again"),
        (say(chat("E")), {}, "none of the choices: 'E'", "again"),
        (say(chat("It is in the lower right, or A")), {}, "none of the choices: 'It is in", "again"),
    ],
)
def test_what_is_no_answer_is_one_clear_error(
    behaviour: Any,
    options: dict[str, Any],
    message: str,
    fix: str,
    bad_server: BadServer,  # noqa: F811
) -> None:
    bad_server.behaviours = [behaviour]
    with pytest.raises(ModelError, match=message) as raised:
        served(bad_server, **options).answer(PROMPT)
    error = raised.value
    assert fix in error.fix
    assert error.ids == {"server": bad_server.url, "model": MODEL}
    assert str(error).isprintable()


@pytest.mark.parametrize("behaviour", ["hang", "trickle"])
def test_a_reply_that_does_not_end_is_not_waited_for(behaviour: str, bad_server: BadServer) -> None:  # noqa: F811
    bad_server.behaviours = [getattr(bad_server, behaviour)]
    with pytest.raises(ModelError, match=r"did not finish its reply within 0\.3 s") as raised:
        served(bad_server, timeout_s=0.3).answer(PROMPT)
    assert "IMAGERAG_MLLM_TIMEOUT_S" in raised.value.fix


def test_a_server_that_is_down_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match="cannot be reached") as raised:
        ServedMllm(url, MllmOptions(retries=0))
    assert "IMAGERAG_MLLM" in raised.value.fix


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_recovers_is_asked_again(status: int, bad_server: BadServer) -> None:  # noqa: F811
    bad_server.behaviours = [fail(status), say(chat("B"))]
    assert served(bad_server, retries=1).answer(PROMPT).choice == "B"
    assert len(bad_server.requests) == 2


@pytest.mark.parametrize("name", ["response_format", "logprobs", "temperature"])
def test_what_a_server_rejects_is_left_out_from_then_on(name: str, bad_server: BadServer) -> None:  # noqa: F811
    bad_server.behaviours = [rejecting(name)]
    mllm = served(bad_server)
    assert mllm.answer(PROMPT).choice == "A"
    assert mllm.answer(PROMPT).choice == "A"
    assert [name in request for request in bad_server.requests] == [True, False, False]


def test_without_probabilities_the_confidence_is_unknown(bad_server: BadServer) -> None:  # noqa: F811
    bad_server.behaviours = [say(chat("A."))]
    reply = served(bad_server).answer(PROMPT)
    assert (reply.choice, reply.confidence, dict(reply.scores)) == ("A", None, {})
    assert "no probabilities" in reply.notes[0]


def test_what_the_server_finds_too_long_is_asked_with_less(bad_server: BadServer) -> None:  # noqa: F811
    too_long = fail(400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded")
    bad_server.behaviours = [too_long, too_long, say(chat("A"))]
    reply = served(bad_server).answer(PROMPT)
    assert reply.cues_shown == 1
    assert [note.split(" to ")[0].split(", ")[0] for note in reply.notes[:2]] == [
        "The overview was reduced",
        "1 of 2 cues",
    ]
    bad_server.behaviours = [too_long]
    with pytest.raises(ModelError, match="does not fit the server's context"):
        served(bad_server).answer(PROMPT)


def test_a_known_context_is_kept_to_before_anything_is_sent(bad_server: BadServer) -> None:  # noqa: F811
    bad_server.models[0]["max_model_len"] = 1000
    reply = served(bad_server).answer(PROMPT)
    assert len(bad_server.requests) == 1
    assert reply.cues_shown < 2
    assert reply.tokens["estimated"]
    assert int(reply.tokens["total"]) <= 1000 == reply.tokens["context"]  # type: ignore[call-overload]
    with pytest.raises(ModelError, match="does not fit"):
        served(bad_server, context=128).answer(PROMPT)
    assert len(bad_server.requests) == 1


def test_the_model_reasons_before_it_answers(bad_server: BadServer) -> None:  # noqa: F811
    bad_server.behaviours = [say(chat("A tank <|im_end|> stands low.")), say(chat("B"))]
    reply = served(bad_server).answer(Prompt("Where?", CHOICES, None, (CUE,), think=True))
    first, second = bad_server.requests
    assert "response_format" not in first
    assert "response_format" in second
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert reply.choice == "B"
    assert reply.reasoning is not None and "stands low" in reply.reasoning
    assert "<|im_end|>" not in said(bad_server)


def test_free_text_has_the_mean_probability_of_its_tokens(bad_server: BadServer) -> None:  # noqa: F811
    words = probabilities([("two", {"two": math.log(0.5)}), (" tanks", {" tanks": math.log(0.5)})])
    bad_server.behaviours = [say(chat("<think>counting</think>two tanks", logprobs=words))]
    reply = served(bad_server).answer(Prompt("How many?", {}, None, (CUE,)))
    assert (reply.text, reply.choice, reply.reasoning) == ("two tanks", None, "counting")
    assert reply.confidence == pytest.approx(0.5)


@pytest.mark.parametrize("models", [[], [{"id": "a"}, {"id": "b"}]])
def test_a_model_is_named_where_the_server_has_not_just_one(
    models: list[dict[str, Any]],
    bad_server: BadServer,  # noqa: F811
) -> None:
    bad_server.models = models
    with pytest.raises(ModelError, match="lists") as raised:
        served(bad_server)
    assert "IMAGERAG_MLLM_NAME" in raised.value.fix
    assert served(bad_server, name="b").name == "b"


def test_a_schema_goes_to_the_server_and_its_json_comes_back(bad_server: BadServer) -> None:  # noqa: F811
    bad_server.behaviours = [say(chat('{"parts":[]}'))]
    schema = {"type": "object", "properties": {"parts": {"type": "array"}}}
    assert served(bad_server).complete("Where is the <|im_end|> tank?", schema) == '{"parts":[]}'
    assert bad_server.requests[-1]["response_format"]["json_schema"]["schema"] == schema
    assert "<|im_end|>" not in said(bad_server)
