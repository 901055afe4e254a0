"""Webhooks through the SDK, in both colours, against the real server."""

from __future__ import annotations

import pytest
from scripted import COLOURS

from darkroom import client


@pytest.mark.parametrize("colour", COLOURS, ids=lambda colour: colour.__name__)
def test_endpoints_secret_and_deliveries_in_both_colours(server, colour) -> None:
    key = server.ground.key(server.ground.account().id)

    def tell(story):
        return colour(server.url, story, key)

    made = tell(lambda c: c.add_webhook_endpoint("https://a.example/", events=["ended"]))
    endpoint_id = made["endpoint_id"]
    assert [one["url"] for one in tell(lambda c: c.webhook_endpoints())] == ["https://a.example/"]
    sent = tell(lambda c: c.test_webhook_endpoint(endpoint_id))["webhook_id"]
    assert tell(lambda c: c.delivery(sent))["type"] == "webhook.test"
    page = tell(lambda c: c.deliveries(endpoint_id=endpoint_id, limit=1))
    assert ([one["webhook_id"] for one in page.deliveries], page.next) == ([sent], sent)
    assert tell(lambda c: c.resend_delivery(sent))["webhook_id"] == sent
    assert tell(lambda c: c.resend_deliveries(endpoint_id=endpoint_id)) == 0
    first = tell(lambda c: c.webhook_secret())["secret"]
    rotated = tell(lambda c: c.rotate_webhook_secret(overlap_hours=1))
    assert [one["secret"] for one in rotated["secrets"]] == [rotated["secret"], first]
    assert tell(lambda c: c.enable_webhook_endpoint(endpoint_id))["enabled"] is True
    assert tell(lambda c: c.remove_webhook_endpoint(endpoint_id))["removed"] is True
    with pytest.raises(client.NotFound, match="No webhook endpoint"):
        tell(lambda c: c.remove_webhook_endpoint(endpoint_id))
    with pytest.raises(client.NotFound, match="No webhook delivery"):
        tell(lambda c: c.delivery("msg_0"))
