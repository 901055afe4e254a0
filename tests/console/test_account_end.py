"""The end of an account: by its owner, by an admin, and what its owner meets afterwards."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from account_houses import PASSWORD, House, is_signed_in
from console_visitors import Visitor
from desk_stories import deeds

from ground import Server, wait_until


def test_an_owner_deletes_the_account_and_may_come_anew(house: House) -> None:
    house.account("boss@example.com")  # the first is the admin's
    account_id = house.account("end@example.com")
    key = house.ground.key(account_id)
    with house.visitor() as owner:
        owner.post_form("/login", email="end@example.com", password=PASSWORD)
        for wrong, said in (
            ({"confirm_email": "other@example.com", "delete_password": PASSWORD}, "your e-mail"),
            ({"confirm_email": "end@example.com", "delete_password": "nonsense"}, "your password"),
        ):
            refused = owner.post_form("/settings/delete", **wrong)
            assert (refused.status_code, said in refused.text) == (422, True)
        assert is_signed_in(owner)
        right = {"confirm_email": "end@example.com", "delete_password": PASSWORD}
        answer = owner.post_form("/settings/delete", **right)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "Your account is deleted" in owner.get("/login").text
        assert not is_signed_in(owner)
        again = owner.post_form("/login", email="end@example.com", password=PASSWORD)
        assert (again.status_code, is_signed_in(owner)) == (422, False)
    headers = {"Authorization": f"Bearer {key}"}
    balance = f"{house.url}/v1/generation/balance"
    wait_until(lambda: httpx.get(balance, headers=headers).status_code == 401)
    with house.visitor() as newcomer:
        house.register(newcomer, "end@example.com")
        assert is_signed_in(newcomer)


def test_an_admin_deletes_an_account_once_and_for_all(
    admin: Visitor, visitors: Callable[..., Visitor], server: Server
) -> None:
    account = server.ground.account()
    owner, here = visitors(account.id), f"/admin/accounts/{account.id}"
    assert owner.get("/settings").status_code == 200
    assert admin.post_form(f"{here}/delete").status_code == 303
    assert [deed.verb for deed in deeds(server, account_id=account.id)] == ["account.delete"]
    assert owner.get("/settings").status_code == 303
    page = admin.get(here).text
    assert ("deleted" in page, "End the suspension" in page, f"{here}/delete" in page) == (
        *(True, False, False),
    )
    assert admin.post_form(f"{here}/resume").status_code == 422


def test_an_admin_s_own_account_is_not_deleted(admin: Visitor) -> None:
    assert "/settings/delete" not in admin.get("/settings").text
    refused = admin.post_form(f"/admin/accounts/{admin.account_id}/delete")
    assert (refused.status_code, "admin rights first" in refused.text) == (422, True)
