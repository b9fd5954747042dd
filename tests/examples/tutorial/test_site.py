"""The site that the tutorial downloads from: its login, and how it misbehaves when it is told to."""

import asyncio
import hashlib
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator

import aiohttp
import pytest
from ladder.client import Corrupt, Session, SiteContext, checked, logged_in, token_in
from ladder.program import running_site
from ladder.site import PASSWORD, SIZES, USERNAME, SiteSettings, body_of, served

QUICK = SiteSettings(files=8, latency=0.0)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_site(QUICK) as found:
        yield found


async def test_whoever_has_logged_in_gets_files_of_several_sizes() -> None:
    async with served(QUICK) as (url, _), logged_in(SiteContext(url)) as session:
        for number in range(8):
            async with session.get(f"{url}files/{number}") as answer:
                body = await answer.read()
                assert answer.headers["X-SHA256"] == hashlib.sha256(body).hexdigest()
            assert body == body_of(number)
            assert len(body) == SIZES[number % 4]
        async with session.get(f"{url}files/8") as answer:
            assert answer.status == 404
        async with session.get(f"{url}files") as answer:
            assert (await answer.text()).count("<li>") == 8


async def test_without_a_session_nothing_is_given() -> None:
    async with served(QUICK) as (url, _), aiohttp.ClientSession() as session:
        async with session.get(f"{url}files/0") as answer:
            assert (answer.status, await answer.text()) == (401, "log in first")


@pytest.mark.parametrize(("username", "password"), [(USERNAME, "guess"), ("nobody", PASSWORD), ("", "")])
async def test_a_wrong_password_is_refused(username: str, password: str) -> None:
    async with served(QUICK) as (url, _):
        with pytest.raises(aiohttp.ClientResponseError) as refused:
            async with logged_in(SiteContext(url, username, password)):
                pytest.fail("logged in")
    assert refused.value.status == 401


async def test_a_token_is_good_for_one_login_and_none_is_good_for_none() -> None:
    async with served(QUICK) as (url, _), aiohttp.ClientSession() as session:
        ctx = SiteContext(url)
        async with session.get(url) as answer:
            form = ctx.form(token_in(await answer.read()))
        statuses = []
        for data in (form, form, {**form, "authenticity_token": "made up"}):
            async with session.post(f"{url}login", data=data) as answer:
                statuses.append(answer.status)
    assert statuses == [200, 403, 403]


def test_a_page_without_a_form_is_named() -> None:
    with pytest.raises(ValueError, match="authenticity_token"):
        token_in(b"<p>welcome</p>")


def test_a_program_without_an_event_loop_logs_in_too(url: str) -> None:
    assert Session(SiteContext(url)).download(1) == body_of(1)


def test_a_file_that_is_not_what_it_says_is_noticed() -> None:
    with pytest.raises(Corrupt, match="3 bytes"):
        checked(b"abc", "0" * 64)


async def test_files_that_are_refused_once_come_the_second_time_and_broken_ones_never() -> None:
    unreliable = SiteSettings(files=60, latency=0.0, errors=0.3, broken=0.1)
    async with served(unreliable) as (url, _), logged_in(SiteContext(url)) as session:
        rounds = []
        for _ in range(3):
            statuses = []
            for number in range(60):
                async with session.get(f"{url}files/{number}") as answer:
                    statuses.append(answer.status)
            rounds.append(statuses)
    assert set(rounds[0]) == {200, 500, 503}
    assert set(rounds[1]) == {200, 500}
    assert rounds[1] == rounds[2]
    assert [status == 500 for status in rounds[0]] == [status == 500 for status in rounds[1]]


async def test_a_session_that_asks_too_often_is_told_to_wait() -> None:
    async with served(SiteSettings(files=1, latency=0.0, rate=1.0)) as (url, _), logged_in(SiteContext(url)) as session:
        statuses = []
        for _ in range(12):
            async with session.get(f"{url}files/0") as answer:
                statuses.append(answer.status)
        assert 429 in statuses
        async with logged_in(SiteContext(url)) as other, other.get(f"{url}files/0") as answer:
            assert answer.status == 200  # each session for itself


async def test_a_client_that_is_killed_in_the_middle_of_a_request_is_no_mistake_of_the_site(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(QUICK) as (url, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", urllib.parse.urlsplit(url).port)
        head = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n"
        writer.write(b"POST /login HTTP/1.1\r\n" + head + b"Content-Length: 9\r\n\r\nuser")
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.transport.abort()
        async with logged_in(SiteContext(url)) as session, session.get(f"{url}files/0") as answer:
            assert answer.status == 200
    assert [record.getMessage() for record in caplog.records] == []


async def test_latency_and_bandwidth_take_at_least_their_time() -> None:
    slow = SiteSettings(files=4, latency=0.05, bandwidth=512 * 1024)
    async with served(slow) as (url, _), logged_in(SiteContext(url)) as session:
        began = time.monotonic()
        async with session.get(f"{url}files/2") as answer:
            body = await answer.read()
        waited = time.monotonic() - began
    assert body == body_of(2)
    assert waited >= 0.05 + len(body) / slow.bandwidth


def test_errors_of_the_site_reach_whoever_waits_for_each_answer(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        Session(SiteContext(url)).download(99)
