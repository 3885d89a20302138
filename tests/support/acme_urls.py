"""The URLs of everything that one account has, for tests that go through all of them."""

from tests.support.acme_client import AcmeClient, Answer
from tests.support.proxy import Proxy, http01

#: Every resource that takes nothing but POST.
POST_ONLY = (
    "newAccount",
    "newOrder",
    "account",
    "orders",
    "order",
    "finalize",
    "authorization",
    "challenge",
    "certificate",
)
#: Those that belong to an account, and are nobody else's business.
OWNED = POST_ONLY[2:]

NOBODYS = "0123456789abcdef0123456789abcdef"


async def urls_of(proxy: Proxy, client: AcmeClient, order: Answer | None = None) -> dict[str, str]:
    """Return the URL of every resource by its name; of a certificate that there is none of, a likely one.

    Args:
        proxy: The server.
        client: The account.
        order: One of its orders; a new one if missing.
    """
    order = order or await proxy.order(client, "www.alpha.example")
    shown = (await client.get(order.location)).json()
    authorization = shown["authorizations"][0]
    challenge = http01(await client.get(authorization))
    directory = await client.directory()
    return {
        "newAccount": directory["newAccount"],
        "newOrder": directory["newOrder"],
        "account": str(client.kid),
        "orders": f"{client.kid}/orders",
        "order": order.location,
        "finalize": shown["finalize"],
        "authorization": authorization,
        "challenge": challenge["url"],
        "certificate": shown.get(
            "certificate", order.location.rpartition("/order/")[0] + f"/certificate/{NOBODYS}"
        ),
    }


def strangers(url: str) -> str:
    """Return the URL of a resource of the same kind that nobody has."""
    parts = url.split("/")
    place = next(
        n
        for n, part in enumerate(parts)
        if part in {"account", "order", "authorization", "challenge", "certificate"}
    )
    # An account's id has one digit more, which says where its state lies.
    parts[place + 1] = NOBODYS if parts[place] != "account" else f"{parts[place + 1][0]}{NOBODYS}"
    return "/".join(parts)
