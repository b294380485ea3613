"""The API of a real daemon against docs/openapi.json, by questions that schemathesis makes of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.interop.daemon import DEADLINE, Daemon
from tests.interop.live_page import LivePage
from tests.interop.test_live_page import written

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own dependencies warn of each other
    import schemathesis
    from schemathesis.specs.openapi.checks import ignored_auth

ROOT = Path(__file__).resolve().parents[2]
DESCRIBED = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))

schema = schemathesis.openapi.from_dict(DESCRIBED).exclude(path="/events")  # it has no end


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePage]:
    """The page of a lab in which something has happened."""
    folder = tmp_path_factory.mktemp("openapi")
    with Daemon(*written(folder), cwd=folder) as daemon:
        daemon.address("resolver main")
        page = LivePage(daemon)
        for name in "www.lab", "shop.lab", "no.invalid":
            page.post("ask", {"name": name})
        yield page


@schema.parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_does_what_is_described(case: Any, page: LivePage) -> None:
    """Whatever is sent: a status and a body that the file has, and never a fault of ours."""
    headers = {"X-Labnet-Token": page.get("lab")["token"]} if case.method == "POST" else {}
    # Who uses this machine needs no token.
    url = f"http://{page.host}:{page.port}/api/1"
    case.call_and_validate(base_url=url, headers=headers, excluded_checks=[ignored_auth], timeout=DEADLINE)


def test_what_has_happened_is_as_described(page: LivePage) -> None:
    """An exchange with all of its parts."""
    validate = schemathesis.openapi.from_dict(DESCRIBED)
    assert validate is not None
    for one in page.get("exchanges")["exchanges"]:
        whole = page.get(f"exchanges/{one['id']}")
        missing = set(DESCRIBED["components"]["schemas"]["Exchange"]["required"]) - whole.keys()
        assert not missing
        for datagram in whole["datagrams"]:
            assert datagram["kind"] == "silence" or datagram["packet"].endswith(datagram["bytes"])
