"""The page's server against its own OpenAPI document: whatever is asked, it answers as described, and lives."""

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from web_page import Page, clip, configured, filled

from monitor.web.described import document

load_all_checks()
# what these two find is meant: no cookie is needed without a token, and an id that is no UUID is simply not there
MEANT = {"ignored_auth", "positive_data_acceptance", "negative_data_rejection", "missing_required_header"}
PROMISED = [check for check in CHECKS.get_all() if getattr(check, "__name__", "") not in MEANT]

DOCUMENT = document()
del DOCUMENT["paths"]["/api/events"]  # has no end
described = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Somebody who has shown the token, at a store with detections and clips."""
    folder = tmp_path_factory.mktemp("described")
    for detection in filled(folder / "store", 30)[:3]:
        clip(folder, detection)
    with Page(configured(folder)) as page:
        yield page.enter()


@described.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described_and_none_is_a_crash(case: schemathesis.Case, page: Page) -> None:
    headers = {"Cookie": page.cookie, "Origin": f"http://{page.address}"}
    if case.path == "/api/detections/{detection}/sound":
        headers["Range"] = "bytes=2-5"
    response = case.call(base_url=f"http://{page.address}", headers=headers)
    case.validate_response(response, checks=PROMISED)
    assert response.status_code < 500


def test_the_server_lives_after_that(page: Page) -> None:
    assert requests.get(f"http://{page.address}/api/station", timeout=10).status_code == 200
    assert "Traceback" not in page.said()
