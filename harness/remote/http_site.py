"""A service's REST interface: calls within a time limit, answers as JSON or as one of our errors, secrets kept out of what is said."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from harness.base.secrets import redact
from harness.remote.credentials import Credentials
from harness.remote.errors import OddAnswer, Refused, TryLater, Unreachable
from harness.remote.hosts import check_host, names_loopback
from harness.remote.patience import call_seconds, check_patience
from harness.remote.retry import retry_after, wait_words, with_retries, within

_FINAL = (400, 401, 403, 404, 405, 410, 413, 415, 422)
"""Answers that mean no, now and later; what else is no success says nothing about what was done."""

_MOST_PAGES = 50
_UPLOAD_RATE = 2**17  # bytes a second that an upload may be slow to


class HttpSite:
    """A service at one address, called by one person.

    Parameters
    ----------
    service : e.g. "codabench", as messages and the list of agreed hosts call it
    own_hosts : that its credentials may go to unasked
    url : its address in the competition's files; named_by : who names it, in words
    variable : of the environment that names another address
    authorize : the headers that prove who is asking; may call `ask` once to log in
    cures : {status of a refusal: what to do about it}, said after the service's own words
    """

    def __init__(
        self,
        service: str,
        *,
        own_hosts: tuple[str, ...],
        url: str,
        named_by: str,
        variable: str,
        credentials: Credentials,
        authorize: Callable[[], dict[str, str]],
        cures: dict[int, str],
    ) -> None:
        named = os.environ.get(variable)
        self.url = (named or url).rstrip("/")
        check_host(service, self.url, own_hosts, variable if named else named_by, by_user=bool(named))
        self.service, self.credentials = service, credentials
        check_patience()
        self.seconds = call_seconds()
        self._authorize, self._cures = authorize, cures
        self._seen: list[str] = []

    def hide(self, secret: str) -> None:
        """From now on, keep this out of what is said, too: a token, a signed address."""
        self._seen.append(secret)

    def redact(self, text: str) -> str:
        """Foreign text without credentials."""
        return redact(text, [*self.credentials.secrets(), *self._seen])

    def get(self, path: str) -> Any:
        """What lies there; again after a pause where the service stumbles."""
        return with_retries(lambda: self.call("GET", path))

    def get_object(self, path: str) -> dict[str, Any]:
        """A JSON object that lies there."""
        return self.object_of(self.get(path))

    def pages(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list ("results" and "next", or the plain list); an answer of another shape is none, never an empty list."""
        lines: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            told = self.get(path)
            page = told if isinstance(told, list) else self.object_of(told)["results"]
            if not isinstance(page, list) or not all(isinstance(line, dict) and line.get("id") for line in page):
                raise OddAnswer(f"the list of submissions has another shape than {self.credentials.service}'s")
            lines += page
            following = told.get("next") if isinstance(told, dict) else None
            if not following:
                break
            parts = urlsplit(str(following))  # of the address the path only: nothing is called elsewhere
            path = parts.path + (f"?{parts.query}" if parts.query else "")
        return lines

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, reads: bool = True) -> Any:
        """One call in the person's name; JSON (None where nobody reads it), or one of our errors."""
        return self.ask(method, path, body, self._authorize(), reads)

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str], reads: bool = True
    ) -> Any:
        """One call with these headers, made once; redirections are not followed, since credentials would go with them."""
        import requests

        def call() -> Any:
            return requests.request(
                method,
                self.url + path,
                json=body,
                headers=headers,
                timeout=self.seconds,
                allow_redirects=False,
                proxies=_proxies(self.url),
            )

        try:
            answer = within(self.seconds, call)
        except (requests.RequestException, TimeoutError, ValueError) as error:
            raise Unreachable(f"{self.service}: {method} {path}: {self.redact(str(error))}") from error
        return self._read(answer, f"{method} {path.partition('?')[0]}", reads)

    def put_file(self, url: str, content: bytes, kind: str) -> None:
        """Put a file to a storage's signed address: no credentials there, and nobody may read the address.

        kind : its media type
        """
        import requests

        self.hide(url)
        limit = self.seconds + len(content) / _UPLOAD_RATE

        def call() -> Any:
            return requests.put(url, data=content, headers={"Content-Type": kind}, timeout=limit, proxies=_proxies(url))

        try:
            answer = within(limit, call)
        except (requests.RequestException, TimeoutError, ValueError) as error:
            raise Unreachable(f"{self.service}: upload: {self.redact(type(error).__name__)}") from error
        if not 200 <= answer.status_code < 300:
            raise Unreachable(f"{self.service}: upload: the storage answered {answer.status_code}")
        if not confirms_upload(answer, content):
            raise Unreachable(
                f"{self.service}: upload: the storage answered something else than that it has the file; nothing was submitted"
            )

    def object_of(self, told: Any) -> dict[str, Any]:
        """A JSON object, or an answer that nothing can be concluded from."""
        if not isinstance(told, dict):
            raise OddAnswer(f"{self.service} answered {type(told).__name__} where an object is due")
        return told

    def _read(self, answer: Any, what: str, reads: bool) -> Any:
        status, said = answer.status_code, self.redact(answer.text[:20_000])[:500]
        if status == 429:
            seconds = retry_after(answer.headers.get("Retry-After"))
            raise TryLater(f"{self.service}: {what}: too many calls{wait_words(seconds)}", seconds)
        if status in _FINAL:
            raise Refused(f"{self.service} refused {what} ({status}): {said}{self._cures.get(status, '')}")
        if not 200 <= status < 300:
            raise Unreachable(f"{self.service}: {what} answered {status}: {said[:200]}")
        if not reads:
            return None
        try:
            return answer.json()
        except (ValueError, RecursionError) as error:
            raise OddAnswer(f"{self.service}: {what} answered something that is no JSON: {said[:100]}") from error


def _proxies(url: str) -> dict[str, str] | None:
    """For requests: none for this machine, whatever the environment says, since plain http would take the credentials elsewhere."""
    return {"no_proxy": urlsplit(url).hostname or ""} if names_loopback(url) else None


def confirms_upload(answer: Any, content: bytes) -> bool:
    """Whether a storage's answer to the upload can be the one of a file that is there.

    S3 and what speaks like it answer a PUT with an empty body, and name the MD5 of what they have as ETag (of encrypted or multipart
    objects the ETag is another one, with a dash or of another length).
    """
    etag = str(answer.headers.get("ETag") or "").strip('W/"').lower()
    if re.fullmatch(r"[0-9a-f]{32}", etag) and "x-amz-server-side-encryption" not in answer.headers:
        return etag == hashlib.md5(content, usedforsecurity=False).hexdigest()
    return not bool(answer.content.strip())
