"""A bundled store with TLS: its certificate is for its host, whoever uses it can check that, and nothing is in the
clear. That servers and clients take what is rendered is tried in tests/operator/test_stores.py."""

import base64
import ssl

from tests.charts.rendering import objects, with_values


def secrets() -> dict[str, dict[str, str]]:
    """Return what the Secrets of the scenario say, by name."""
    return {
        one["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        for one in objects("tls", "Secret")
    }


def test_there_is_no_port_without_it() -> None:
    [said] = [one["data"]["store.conf"] for one in objects("tls", "ConfigMap") if "store.conf" in one["data"]]
    assert {"port 0", "tls-port 6379"} <= set(said.splitlines())
    [store] = objects("tls", "StatefulSet")
    [volume] = [one for one in store["spec"]["template"]["spec"]["volumes"] if one["name"] == "tls"]
    assert volume["secret"]["secretName"] == "tidemill-store-tls"
    assert "tls.key" in secrets()["tidemill-store-tls"]


def test_everybody_is_given_what_checks_the_certificate_and_nobody_its_key() -> None:
    found = secrets()
    authority = found.pop("tidemill-store-tls")["ca.crt"]
    ssl.create_default_context(cadata=authority)
    assert set(found) == {"tidemill-store", "tidemill-store-worker"}
    for one in found.values():
        assert one["url"].startswith("rediss://")
        assert one["url"].endswith(".svc:6379/0?ssl_ca_certs=/run/tidemill/store/ca.crt")
        assert (one["ca.crt"], "tls.key" in one) == (authority, False)


def test_a_certificate_of_ones_own_is_used() -> None:
    store = "store.bundled.tls"
    made = with_values(f"{store}.enabled=true", f"{store}.existingSecret=mine")
    assert "'secretName': 'mine'" in str([one for one in made if one["kind"] == "StatefulSet"])
    urls = [base64.b64decode(one["data"]["url"]).decode() for one in made if one["kind"] == "Secret"]
    assert len(urls) == 2
    assert all(url.startswith("rediss://") and "ssl_ca_certs" not in url for url in urls)
    made = with_values(
        f"{store}.enabled=true", f"{store}.existingSecret=mine", f"{store}.ca=-----BEGIN CERTIFICATE-----"
    )
    assert all("ca.crt" in one["data"] for one in made if one["kind"] == "Secret")
