"""The HTTP API describes itself, and what it says of itself hangs together."""

import json
from pathlib import Path

from tests.api_server import client_of, service_in, serving


def test_it_describes_itself(tmp_path: Path) -> None:
    with serving(service_in(tmp_path)) as address, client_of(address, None) as client:
        document = client.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]
    body = document["paths"]["/v1/verifications"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/NewVerification"}
