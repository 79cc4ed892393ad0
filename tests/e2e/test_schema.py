"""The OpenAPI document is valid, and the daemon keeps to it whatever it is sent (schemathesis)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toy
from concept_client import Daemon
from conftest import Launch
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from raw import send

# The long run sets CONCEPTD_FUZZ_REQUESTS=5000.
REQUESTS = int(os.environ.get("CONCEPTD_FUZZ_REQUESTS", "300"))

# No operation is left out. One check is: JSON Schema counts characters where limits of bytes are meant, and cannot say
# that a data set must exist or that two parameters exclude each other. What it calls valid may still not be possible.
LEFT_OUT = "positive_data_acceptance"


@pytest.fixture(scope="module")
def bare(launch: Launch) -> Daemon:
    """A daemon without models, so that nothing trains or draws; with pictures, so that there is something to find."""
    daemon = launch(models=None)
    daemon.upload(toy.PICTURES)
    return daemon


@pytest.fixture(scope="module")
def document(bare: Daemon) -> dict[str, Any]:
    """The document as the daemon gives it."""
    return json.loads(send(bare, "GET", "/openapi.json", with_token=False).body)


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict]]:
    """Everything that it describes."""
    return [(path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids)) > 35
    for path, method, operation in operations(document):
        assert operation["summary"], (method, path)
        refusals = {status for status in operation["responses"] if int(status) >= 400}
        assert {"401", "403"} <= refusals, (method, path)
        assert all(operation["responses"][status] == {"$ref": "#/components/responses/Problem"} for status in refusals)
    assert list(document["components"]["responses"]["Problem"]["content"]) == ["application/problem+json"]


def test_every_field_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description") or "$ref" in described, f"{name}.{field}"


def examples(document: dict[str, Any]) -> int:
    """How often each operation is fuzzed, for at least so many requests together; the other phases add to that."""
    return max(2, -(-REQUESTS // len(operations(document))))


def test_it_keeps_to_the_document(bare: Daemon, document: dict[str, Any], tmp_path: Path) -> None:
    url, token = bare._address()
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--checks", "all", "--exclude-checks", LEFT_OUT),
        *("--max-examples", str(examples(document)), "--continue-on-failure", "--no-shrink"),
        *("--seed", os.environ.get("CONCEPTD_FUZZ_SEED", "1"), "--request-timeout", "30", "--workers", "2"),
        *("--generation-database", "none"),
    ]
    # Elsewhere than in the repository, where it would look for settings and leave files.
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-2000:]}"
    assert bare.is_running(), bare.process.returncode
    assert not list(bare.jobs()), "without a model nothing can be queued"
