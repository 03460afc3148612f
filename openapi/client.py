"""Registers, logs in, orders and logs out at the gateway, through the package that openapi-python-client generates from its document.

The directory of the generated package `countersign_client` has to be in PYTHONPATH. mypy checks this program with --strict.
"""

import sys
import uuid
from typing import TypeVar

from countersign_client import AuthenticatedClient, Client
from countersign_client.api.auth import login, logout, register
from countersign_client.api.inventory import set_stock
from countersign_client.api.orders import list_orders, place_order
from countersign_client.api.products import create_product
from countersign_client.api.users import get_me
from countersign_client.models import (
    Basket,
    BasketItem,
    Credentials,
    NewProduct,
    Order,
    OrderPage,
    OrderStatus,
    PresentedToken,
    Problem,
    Product,
    Registration,
    Stock,
    StockCount,
    TokenPair,
    User,
)

PASSWORD = "correct horse battery"
T = TypeVar("T")


def succeeded(answer: object, wanted: type[T]) -> T:
    """The body of a successful response."""
    assert isinstance(answer, wanted), answer
    return answer


def failed(answer: object, code: str) -> None:
    """Requires that a request failed with this code."""
    assert isinstance(answer, Problem) and answer.code == code, answer


def main() -> None:
    base_url = sys.argv[1]
    anonymous = Client(base_url=base_url)
    email = f"{uuid.uuid4()}@example.com"
    registration = Registration(email=email, password=PASSWORD, name="Ada")
    user = succeeded(register.sync(client=anonymous, body=registration), User)
    wrong = Credentials(email=email, password="not this one")
    failed(login.sync(client=anonymous, body=wrong), "invalid_credentials")
    credentials = Credentials(email=email, password=PASSWORD)
    pair = succeeded(login.sync(client=anonymous, body=credentials), TokenPair)
    assert pair.user.id == user.id

    client = AuthenticatedClient(base_url=base_url, token=pair.access_token)
    lamp = NewProduct(name="Lamp", price_cents=1999, currency="EUR")
    product = succeeded(create_product.sync(client=client, body=lamp), Product)
    stock = set_stock.sync(product.id, client=client, body=StockCount(on_hand=5))
    assert succeeded(stock, Stock).available == 5

    basket = Basket(items=[BasketItem(product_id=product.id, quantity=2)])
    order = succeeded(place_order.sync(client=client, body=basket), Order)
    assert order.status in (OrderStatus.CONFIRMED, OrderStatus.PENDING) and order.total_cents == 2 * lamp.price_cents
    page = succeeded(list_orders.sync(client=client, limit=1), OrderPage)
    assert [item.id for item in page.items] == [order.id]

    presented = PresentedToken(refresh_token=pair.refresh_token)
    assert logout.sync_detailed(client=client, body=presented).status_code == 204
    failed(get_me.sync(client=client), "token_revoked")
    print("The Python client logged in, ordered and logged out.")


if __name__ == "__main__":
    main()
