"""Posting to endpoints: real sockets on loopback; only the resolver is ours where names must mean what a test wants."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consentline.dispatch.endpoints import Endpoint, Reply, Resolve
from tests.receivers import Answer, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def answering(*addresses: str) -> tuple[Resolve, list[str]]:
    """A resolver that answers one list of addresses after the other, and what it was asked."""
    asked: list[str] = []
    answers = [each.split(",") for each in addresses]

    async def find(host: str, _port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return find, asked


def post(url: str, *, times: int = 1, timeout: float = 2.0, allow_private: bool = True, **more: object) -> list[Reply]:
    async def work() -> list[Reply]:
        endpoint = Endpoint(url, timeout=timeout, connections=1, allow_private=allow_private, **more)  # type: ignore[arg-type]
        try:
            return [await endpoint.post({"x-test": "1"}, b"{}") for _ in range(times)]
        finally:
            await endpoint.close()

    return asyncio.run(work())


def port_of(receiver: Receiver) -> int:
    return int(receiver.url.split(":")[2].split("/")[0])


def test_it_connects_to_the_address_that_it_looked_up_and_names_the_host(receiver: Receiver) -> None:
    find, asked = answering("127.0.0.1")
    url = f"http://hooks.example:{port_of(receiver)}/path?x=1"

    assert post(url, resolve=find) == [Reply(200)]

    (message,) = receiver.messages
    assert message.headers["host"] == f"hooks.example:{port_of(receiver)}"
    assert message.path == "/path?x=1"
    assert message.headers["x-test"] == "1"
    assert asked == ["hooks.example"]


def test_a_name_that_means_another_address_when_it_is_asked_again_changes_nothing(receiver: Receiver) -> None:
    """DNS rebinding: the check and the connection rest on one look-up."""
    find, asked = answering("8.8.8.8", "127.0.0.1")
    url = f"http://hooks.example:{port_of(receiver)}/"

    (reply,) = post(url, resolve=find, timeout=0.3, allow_private=False)

    assert reply.error in ("TIMED_OUT", "CONNECT_FAILED")
    assert asked == ["hooks.example"]
    assert receiver.messages == []


@pytest.mark.parametrize(
    "addresses", ["127.0.0.1", "169.254.169.254", "10.0.0.1,192.168.0.1", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"]
)
def test_a_name_that_means_an_address_inside_is_refused(receiver: Receiver, addresses: str) -> None:
    find, _ = answering(addresses)

    assert post(f"http://hooks.example:{port_of(receiver)}/", resolve=find, allow_private=False) == [
        Reply(error="ADDRESS_REFUSED")
    ]
    assert receiver.messages == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "0"])
def test_no_way_of_writing_loopback_gets_around_the_check(receiver: Receiver, host: str) -> None:
    (reply,) = post(f"http://{host}:{port_of(receiver)}/", allow_private=False)

    assert reply.error in ("ADDRESS_REFUSED", "HOST_NOT_FOUND")
    assert receiver.messages == []


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    find, _ = answering("127.0.0.2,127.0.0.1")
    with socket.socket() as blocked:
        blocked.bind(("127.0.0.2", port_of(receiver)))

        assert post(f"http://hooks.example:{port_of(receiver)}/", resolve=find) == [Reply(200)]


def test_a_host_that_is_not_known_is_told() -> None:
    async def find(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    assert post("http://nowhere.invalid/", resolve=find) == [Reply(error="HOST_NOT_FOUND")]


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        assert post(f"http://127.0.0.1:{port}/") == [Reply(error="CONNECT_FAILED")]


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with receiving() as other:
        receiver.behave = lambda _number, _message: Answer(307, headers={"location": other.url})

        assert post(receiver.url) == [Reply(307, "REDIRECTED")]
        assert other.messages == []


@pytest.mark.parametrize("given", ["120", "0"])
def test_a_receiver_says_how_long_to_wait(receiver: Receiver, given: str) -> None:
    receiver.behave = lambda _number, _message: Answer(429, headers={"retry-after": given})

    assert post(receiver.url) == [Reply(429, "REJECTED", float(given))]


@pytest.mark.parametrize("given", ["-1", "soon", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "9999999999"])
def test_what_is_no_number_of_seconds_is_left(receiver: Receiver, given: str) -> None:
    receiver.behave = lambda _number, _message: Answer(503, headers={"retry-after": given})

    assert post(receiver.url) == [Reply(503, "REJECTED", None)]


def test_a_connection_is_used_again(receiver: Receiver) -> None:
    find, asked = answering("127.0.0.1")

    assert post(f"http://hooks.example:{port_of(receiver)}/", resolve=find, times=3) == [Reply(200)] * 3
    assert len(asked) == 1


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert post(receiver.url) == [Reply(200)]


# ---- raw answers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def raw() -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends whatever bytes it is given, piece by piece, and then goes on holding the connection."""
    pieces: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                if ended.wait(0.05):
                    return
            ended.wait(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", pieces
    ended.set()
    listener.close()
    thread.join(5)


def test_an_answer_that_comes_drop_by_drop_ends_with_the_timeout(raw: tuple[str, list[bytes]]) -> None:
    url, pieces = raw
    pieces += [b"HTTP/1.1 200 OK\r\n", *[b"x-header: 1\r\n"] * 1000]

    assert post(url, timeout=0.5) == [Reply(error="TIMED_OUT")]


def test_an_answer_whose_body_never_ends_counts_as_soon_as_its_status_is_there(raw: tuple[str, list[bytes]]) -> None:
    url, pieces = raw
    pieces += [b"HTTP/1.1 204 No Content\r\n\r\n"]
    assert post(url, timeout=0.5) == [Reply(204)]


def test_a_body_that_drips_does_not_undo_the_status(raw: tuple[str, list[bytes]]) -> None:
    url, pieces = raw
    pieces += [b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", *[b"x"] * 1000]

    assert post(url, timeout=0.5) == [Reply(200)]


def test_headers_without_end_are_no_answer(raw: tuple[str, list[bytes]]) -> None:
    url, pieces = raw
    pieces += [b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 1_000_000]

    assert post(url, timeout=2) == [Reply(error="CONNECTION_LOST")]


def test_what_is_no_http_is_no_answer(raw: tuple[str, list[bytes]]) -> None:
    url, pieces = raw
    pieces += [b"220 smtp ready\r\n\r\n"]

    assert post(url, timeout=2) == [Reply(error="CONNECTION_LOST")]


# ---- TLS ------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own for a name, in a file with its key, and a context of clients that trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("10.0.0.9"))]), False)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    path = folder / f"{name}.pem"
    path.write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.parametrize(
    ("name", "reply"), [("hooks.example", Reply(200)), ("other.example", Reply(error="TLS_FAILED"))]
)
def test_the_certificate_is_checked_against_the_hosts_name_and_not_its_address(
    tmp_path: Path, name: str, reply: Reply
) -> None:
    path, trusting = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    find, _ = answering("127.0.0.1")
    with receiving(tls=context) as receiver:
        found = post(f"https://hooks.example:{port_of(receiver)}/", resolve=find, tls=trusting)

    assert found == [reply]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    path, _ = certificate(tmp_path, "hooks.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    find, _ = answering("127.0.0.1")
    with receiving(tls=context) as receiver:
        assert post(f"https://hooks.example:{port_of(receiver)}/", resolve=find) == [Reply(error="TLS_FAILED")]
        assert receiver.messages == []
