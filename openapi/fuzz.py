"""Sends generated requests to every service of a running platform, with schemathesis.

No response may be a 5xx or one that the service's OpenAPI document does not describe.
"""

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass

CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
])

HERE = os.path.dirname(os.path.abspath(__file__))

# Requests to these end the session whose token the other requests use.
END_OF_SESSION = r"^/auth/(logout|logout-all|password|sessions/)"
# An emergency rotation revokes all tokens.
ROTATION = r"^/admin/keys/rotate"
OAUTH = r"^/oauth/"


@dataclass
class Run:
    """One run of schemathesis: a service, a caller and the paths to call."""

    service: str
    caller: str
    authorization: str | None
    include: str | None = None
    exclude: str | None = None


def request(url, authorization=None, body=None, form=None, method="POST"):
    """Sends a request with a JSON body or a form, and returns the JSON of the response."""
    data = json.dumps(body) if form is None else urllib.parse.urlencode(form)
    headers = {"content-type": "application/json" if form is None else "application/x-www-form-urlencoded"}
    if authorization:
        headers["authorization"] = authorization
    sent = urllib.request.Request(url, data.encode(), headers, method=method)
    with urllib.request.urlopen(sent, timeout=20) as response:
        return json.load(response)


def registered():
    """The names and the ports, relative to the first, of the services behind the gateway."""
    with open(os.path.join(HERE, "..", "services.toml"), encoding="utf-8") as registry:
        rows = re.findall(r'^name = "(.*)"\nport_offset = (\d+)$', registry.read(), re.MULTILINE)
    return [(name, int(offset)) for name, offset in rows if name != "gateway"]


class Platform:
    """The running platform, and the credentials of its callers."""

    def __init__(self, port_base, admin_password, order_service_secret):
        self.urls = {name: f"http://127.0.0.1:{port_base + offset}" for name, offset in registered()}
        self.admin_password = admin_password
        pair = f"order-service:{order_service_secret}".encode()
        self.client = "Basic " + base64.b64encode(pair).decode()

    def user(self):
        """A new user's token."""
        email, password = f"{uuid.uuid4()}@example.com", str(uuid.uuid4())
        account = {"email": email, "password": password, "name": "Ada"}
        request(f"{self.urls['user-service']}/auth/register", body=account)
        return self.login(email, password)

    def admin(self):
        """A token of the first admin."""
        return self.login("admin@example.com", self.admin_password)

    def login(self, email, password):
        credentials = {"email": email, "password": password}
        pair = request(f"{self.urls['user-service']}/auth/login", body=credentials)
        return "Bearer " + pair["access_token"]

    def service(self, audience):
        """A token of order-service for another service."""
        form = {"grant_type": "client_credentials", "audience": audience}
        url = f"{self.urls['user-service']}/oauth/token"
        return "Bearer " + request(url, self.client, form=form)["access_token"]

    def known_ids(self, customer):
        """Creates products with stock, and orders of this user. Returns ids by the first segment of a path."""
        admin, products, orders = self.admin(), [], []
        for name in ["Lamp", "Chair", "Table"]:
            product = {"name": name, "price_cents": 1999, "currency": "EUR"}
            id = request(f"{self.urls['product-service']}/products", admin, product)["id"]
            stock = {"on_hand": 1_000_000}
            request(f"{self.urls['inventory-service']}/inventory/{id}", admin, stock, method="PUT")
            products.append(id)
            order = {"items": [{"product_id": id, "quantity": 1}]}
            orders.append(request(f"{self.urls['order-service']}/orders", customer, order)["id"])
        reservations = [str(uuid.uuid4()) for _ in range(5)]
        return {
            "products": products,
            "inventory": products,
            "orders": orders,
            "reservations": orders + reservations,
        }

    def runs(self, customer):
        """Each service, as each kind of caller that it knows. The last run ends its own session."""
        users = {"exclude": f"{END_OF_SESSION}|{ROTATION}|{OAUTH}"}
        yield Run("user-service", "an anonymous caller", None)
        yield Run("user-service", "a user", self.user(), **users)
        yield Run("user-service", "an admin", self.admin(), **users)
        yield Run("user-service", "a client", self.client, include=OAUTH)
        yield Run("inventory-service", "order-service", self.service("inventory-service"))
        yield Run("inventory-service", "an admin", self.admin())
        # An admin deletes the known products, so product-service comes last.
        first, last = ["user-service", "inventory-service"], ["order-service", "product-service"]
        for service in [name for name in self.urls if name not in first + last] + last:
            yield Run(service, "a user", customer)
            yield Run(service, "an admin", self.admin())
        yield Run("user-service", "a user who logs out", self.user(), include=END_OF_SESSION)


def fuzz(run, url, environment, options):
    """Whether the service passed."""
    print(f"\n== {run.service} as {run.caller}", file=sys.stderr, flush=True)
    command = [
        options.schemathesis, "--config-file", os.path.join(HERE, "schemathesis.toml"),
        "run", f"{url}/openapi.json", "--url", url, "--checks", CHECKS, "--no-color",
        "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all", "--workers", "1",
        "--max-examples", str(options.examples), "--seed", str(options.seed),
        "--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off",
        "--generation-database", "none", "--continue-on-failure",
    ]
    if run.authorization:
        command += ["--header", f"Authorization: {run.authorization}"]
        # Else schemathesis replaces the header by credentials that it makes up.
        command += ["--generation-with-security-parameters", "false"]
    if run.include:
        command += ["--include-path-regex", run.include]
    if run.exclude:
        command += ["--exclude-path-regex", run.exclude]
    try:
        # In a temporary directory, since schemathesis leaves files behind.
        with tempfile.TemporaryDirectory() as directory:
            finished = subprocess.run(
                command, cwd=directory, env=environment, timeout=options.seconds, check=False
            )
        return finished.returncode == 0
    except subprocess.TimeoutExpired:
        print(f"not finished within {options.seconds} seconds", file=sys.stderr)
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-base", type=int, required=True)
    parser.add_argument("--schemathesis", default="schemathesis", help="the program")
    parser.add_argument("--examples", type=int, default=20, help="generated requests for each operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=300, help="limit for each run")
    parser.add_argument("--only", help="a service")
    options = parser.parse_args()
    platform = Platform(options.port_base, os.environ["ADMIN_PASSWORD"], os.environ["ORDER_SERVICE_SECRET"])
    customer = platform.user()
    hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE}
    known = {"KNOWN_IDS": json.dumps(platform.known_ids(customer))}
    environment = {**os.environ, **hooks, **known}
    failed = [
        f"{run.service} as {run.caller}"
        for run in platform.runs(customer)
        if options.only in (None, run.service)
        and not fuzz(run, platform.urls[run.service], environment, options)
    ]
    if failed:
        sys.exit("Failed: " + "; ".join(failed))


if __name__ == "__main__":
    main()
