"""A multimodal LLM at any server that speaks OpenAI's chat API: vLLM, `transformers serve`, or a hosted one.

One question is one request, or two with a chain of thought.  `replies.py` reads replies, `server_errors.py` explains
failures, and `budget.py` decides what is left out of a prompt that does not fit.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import openai
from PIL import Image

from imagerag_assets.answering.budget import Budget, TooLargeError, answer_with_less, bounded
from imagerag_assets.answering.options import MllmOptions
from imagerag_assets.answering.prompts import FAMILIES, Part, break_tokens, build_parts, family_of, transcript
from imagerag_assets.answering.replies import (
    Completion,
    choice_format,
    choice_scores,
    mean_probability,
    read_choice,
    refusal_of,
)
from imagerag_assets.answering.server_errors import explained, is_too_large, rejected
from imagerag_assets.answering.thinking import asking_for_thoughts, closing, split_thoughts
from imagerag_assets.answering.types import MOST_JSON, Prompt, Reply
from imagerag_assets.errors import ModelError
from imagerag_assets.masking import masked_values
from imagerag_assets.server_replies import detail_of, shortened

KEY = "OPENAI_API_KEY"
_OPTIONAL = ("response_format", "logprobs", "temperature")
"""Parameters that are left out for a server that rejects them."""
_MOST_PX, _LEAST_PX = 2048, 448  # longest side of a picture that is sent; of an overview that has to be reduced
_MOST_BYTES = 16 << 20  # of a reply
_PIXELS_A_TOKEN = 28 * 28  # of InternVL and Qwen2.5-VL; others take more
_LETTERS_A_TOKEN = 3
_A_THUMBNAIL = 258  # tokens; some families add one to a picture that they cut into tiles
_CONTROL = (
    *("<|", "|>", "<s>", "</s>", "[INST]", "[/INST]", "<start_of_turn>", "<end_of_turn>", "<think>", "</think>"),
    *("<img>", "</img>", "<IMG_CONTEXT>", "<image>", "<video>", "<image_soft_token>"),
)
"""Control tokens of common families, because the tokenizer of a server is not known here."""
_log = logging.getLogger(__name__)

Turn = tuple[str, Sequence[Part]]


class ServedMllm:
    """A model at a server.

    If no model is named, constructing it asks the server for its models; otherwise it contacts nothing.

    Args:
        url: Address up to and with `/v1`.
        options: The model's name, how it is asked, and how long a reply may take.

    Raises:
        ModelError: no model is named, and the server does not list exactly one.
    """

    def __init__(self, url: str, options: MllmOptions | None = None) -> None:
        self._options = options = options or MllmOptions()
        self.url = url.rstrip("/")
        self._client = openai.OpenAI(
            base_url=self.url,
            api_key=os.environ.get(KEY) or "none",  # local servers want none, the client wants one
            timeout=httpx2.Timeout(options.timeout_s, connect=min(10.0, options.timeout_s)),
            max_retries=options.retries,
        )
        self._context = options.context
        self.name = options.name or self._only_model()
        self.revision = "unreported"
        """The model's version as the server reports it with a reply."""
        type_or_name = self.name.rsplit("/", 1)[-1].lower()
        self._family = family_of(type_or_name) if options.family == "auto" else FAMILIES[options.family]
        self._in_words = options.choices == "words"
        self._without: set[str] = set()

    def models(self) -> dict[str, int | None]:
        """Return the server's models with their context in tokens, if it says so.

        Raises:
            ModelError: the server cannot be asked.
        """
        try:
            listed = self._client.models.list().data
            return {model.id: getattr(model, "max_model_len", None) for model in listed}
        except openai.APIError as error:
            raise explained(error, self.url, self._options) from error
        except (AttributeError, TypeError, ValueError) as error:
            raise ModelError(
                "the model server's list of models cannot be read",
                fix="Check that IMAGERAG_MLLM is the address of an OpenAI-compatible server, up to /v1",
                server=self.url,
            ) from error

    def answer(self, prompt: Prompt) -> Reply:
        """See `Mllm.answer`.

        If the prompt exceeds the context, as far as that is known or the server says so, the least important parts are
        left out.  A note says so.
        """
        return answer_with_less(prompt, self._ask, _LEAST_PX)

    def complete(self, prompt: str, schema: Mapping[str, Any]) -> str:
        """Return a text that is valid by a JSON schema, if the server takes one, or else the model's own words.

        Args:
            prompt: What the model is asked, without pictures.
            schema: The JSON schema.

        Raises:
            ModelError: the server failed, or the prompt does not fit.
        """
        form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": dict(schema)}}
        _, text, _ = self._say([("user", [break_tokens(prompt, _CONTROL)])], MOST_JSON, form)
        return text

    def _only_model(self) -> str:
        models = self.models()
        if len(models) != 1:
            some = f"{len(models)} models ({', '.join(list(models)[:5])})" if models else "no model"
            raise ModelError(f"the model server lists {some}", fix="Set IMAGERAG_MLLM_NAME", server=self.url)
        ((name, context),) = models.items()
        self._context = min((each for each in (self._context, context) if each is not None), default=None)
        return name

    def _ask(self, prompt: Prompt) -> Reply:
        parts = [
            part if isinstance(part, str) else bounded(part, _MOST_PX)
            for part in build_parts(prompt, self._family, _CONTROL, in_words=self._in_words)
        ]
        options, thoughts, turns = self._options, None, [("user", parts)]
        budget = self._budget(prompt, parts)
        if prompt.think:
            turns = [("user", asking_for_thoughts(parts))]
            _, thoughts, own = self._say(turns, options.reasoning_max_tokens)
            thoughts = break_tokens(thoughts or own or "", _CONTROL)
            end = closing(prompt.choices, in_words=self._in_words)
            turns += [("assistant", [thoughts]), ("user", [end])]
        _log.info("%s", budget)
        form = choice_format(prompt.choices, in_words=self._in_words) if prompt.choices else None
        completion, text, own = self._say(turns, options.max_new_tokens, form)
        if not text:
            raise self._unusable("the multimodal LLM gave an empty reply", "Ask again, or in other words")
        given: dict[str, Any] = {
            "cues_shown": len(prompt.cues),
            "prompt": transcript(turns[0][1]),
            "tokens": budget.to_dict() | {"counted": completion.usage.prompt_tokens if completion.usage else None},
            "reasoning": thoughts or own,
            "notes": () if completion.tokens else ("The server gives no probabilities, so the confidence is unknown",),
        }
        if not prompt.choices:
            return Reply(text, None, {}, mean_probability(completion.tokens), **given)
        choice = self._choice(text, prompt.choices)
        scores, confidence = choice_scores(completion.tokens, prompt.choices, choice, in_words=self._in_words)
        return Reply(prompt.choices[choice], choice, scores, confidence, **given)

    def _choice(self, text: str, choices: Mapping[str, str]) -> str:
        why = "is none of the choices"
        try:
            choice = read_choice(text, choices, in_words=self._in_words)
        except ValueError as error:
            choice, why = None, f"is {error}"
        if choice is None:
            raise self._unusable(
                f"the multimodal LLM's reply {why}: {shortened(text)!r}",
                "Ask again, raise IMAGERAG_MLLM_MAX_NEW_TOKENS if it is cut short, or set IMAGERAG_MLLM_CHOICES",
            )
        return choice

    def _say(
        self, turns: Sequence[Turn], max_tokens: int, form: Mapping[str, Any] | None = None
    ) -> tuple[Completion, str, str | None]:
        """Ask for the model's next turn; return it as reported, its text, and any reasoning before the text."""
        wanted: dict[str, Any] = {"logprobs": True, "temperature": 0.0}
        if form is not None:
            wanted["response_format"] = form
        messages = [{"role": role, "content": _content(parts)} for role, parts in turns]
        without = set(self._without)
        while True:
            sent = {name: value for name, value in wanted.items() if name not in without}
            if "logprobs" in sent:
                sent["top_logprobs"] = 20  # the most that hosted servers and vLLM give
            try:
                completion = self._complete({"messages": messages, "max_completion_tokens": max_tokens, **sent})
                break
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if is_too_large(error):
                    raise TooLargeError(
                        f"the question does not fit the server's context: {detail_of(error)}",
                        what="the server's context",
                        fix="Shorten it, or use a model with a longer context",
                        server=self.url,
                        model=self.name,
                    ) from error
                refused = rejected(error, sent.keys() & set(_OPTIONAL))
                if not refused:
                    raise explained(error, self.url, self._options, self.name) from error
                without |= refused
        self._without = without  # the server replied without them, so they were what it rejected
        if (refusal := refusal_of(completion)) is not None:
            raise self._unusable(
                f"the multimodal LLM refuses to answer: {shortened(refusal)!r}", "Ask in other words, or another model"
            )
        message = completion.choices[0].message
        own, text = split_thoughts(message.content or "")
        return completion, text, message.reasoning_content or own

    def _complete(self, request: dict[str, Any]) -> Completion:
        """Send one request, with the client's own retries and backoff, and bound the time of the reply.

        Raises:
            openai.BadRequestError, openai.UnprocessableEntityError: the server rejects it.
            ModelError: anything else that goes wrong.
        """
        completions, body = self._client.chat.completions, bytearray()
        try:
            with completions.with_streaming_response.create(model=self.name, **request) as response:
                deadline = time.monotonic() + self._options.timeout_s
                for block in response.iter_bytes():
                    body += block
                    # The client's timeout restarts with every byte, so a slow trickle would never end.
                    if time.monotonic() > deadline or len(body) > _MOST_BYTES:
                        raise openai.APITimeoutError(response.http_request)
            # A server that repeats its request would put our key into the answer.
            completion = Completion.model_validate(masked_values(json.loads(bytes(body))))
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            raise
        except (openai.APIError, httpx2.HTTPError) as error:
            raise explained(error, self.url, self._options, self.name) from error
        except (ValueError, RecursionError) as error:
            said = shortened(bytes(body[:4000]).decode(errors="replace"))
            raise self._unusable(
                f"the model server's reply is not a chat completion: {said!r}", "Check IMAGERAG_MLLM: it ends in /v1"
            ) from error
        if not completion.choices:
            raise self._unusable("the multimodal LLM gave an empty reply", "Ask again, or in other words")
        self.revision = completion.system_fingerprint or completion.model or self.revision
        return completion

    def _budget(self, prompt: Prompt, parts: Sequence[Part]) -> Budget:
        """Estimate the cost of the prompt on the safe side; the server's own count comes with its reply.

        Raises:
            TooLargeError: the cost exceeds the context.
        """
        pictures = [
            math.ceil(part.width * part.height / _PIXELS_A_TOKEN) + _A_THUMBNAIL
            for part in parts
            if isinstance(part, Image.Image)
        ]
        letters = sum(len(part.encode()) for part in parts if isinstance(part, str))
        overview = pictures.pop(0) if prompt.overview is not None else 0
        reply = self._options.max_new_tokens + (self._options.reasoning_max_tokens if prompt.think else 0)
        text = math.ceil(letters / _LETTERS_A_TOKEN)
        budget = Budget(overview, tuple(pictures), text, reply, self._context, estimated=True)
        if budget.over:
            raise TooLargeError(
                f"the question does not fit the model's context ({budget})",
                what=f"the context of {self._context} tokens",
                budget=budget,
                fix="Shorten it, or raise IMAGERAG_MLLM_CONTEXT if it is set",
                server=self.url,
                model=self.name,
            )
        return budget

    def _unusable(self, message: str, fix: str) -> ModelError:
        return ModelError(message, fix=fix, server=self.url, model=self.name)


def _content(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return a turn in the form of the chat API, with pictures as data URLs."""
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": _data_url(part)}}
        for part in parts
    ]


def _data_url(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=92)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
