"""Registers, sells, orders and cancels through clients that openapi-generator made from the documents: at the services, and at the
gateway.

The directory of the generated packages has to be in PYTHONPATH. Exits with an error if a client can't be used as
generated, or a service answers otherwise than expected.
"""

import argparse
import os
import uuid

import gateway
import inventory_service
import order_service
import product_service
import user_service

PORTS = {gateway: 0, user_service: 1, product_service: 2, order_service: 3, inventory_service: 4}
PASSWORD = "correct horse battery"


def client(package, port_base, token=None, **credentials):
    """A client of a service, with a user's token or a registered client's name and secret."""
    url = f"http://127.0.0.1:{port_base + PORTS[package]}"
    return package.ApiClient(package.Configuration(host=url, access_token=token, **credentials))


def expect_problem(call, status, code, problem=user_service.Problem):
    """Requires that the call fails with this problem, and returns the problem."""
    try:
        call()
    except Exception as error:  # Each generated package has its own ApiException.
        assert getattr(error, "status", None) == status, error
        details = problem.from_json(error.body)
        assert details.code == code, details
        return details
    raise AssertionError(f"no {code}")


def register_and_log_in(port_base, user_service=user_service):
    auth = user_service.AuthApi(client(user_service, port_base))
    email = f"{uuid.uuid4()}@example.com"
    registration = user_service.Registration(email=email, password=PASSWORD, name="Ada")
    user = auth.register(registration)
    wrong = user_service.Credentials(email=email, password="not this one")
    expect_problem(lambda: auth.login(wrong), 401, "invalid_credentials")
    expect_problem(lambda: auth.register(registration), 409, "email_taken")

    pair = auth.login(user_service.Credentials(email=email, password=PASSWORD)).actual_instance
    assert pair.user.id == user.id
    pair = auth.refresh(presented_token=user_service.PresentedToken(refresh_token=pair.refresh_token)).actual_instance
    users = user_service.UsersApi(client(user_service, port_base, pair.access_token))
    assert users.get_me().email == email
    return pair.access_token


def sell(port_base, token, on_hand, product_service=product_service, inventory_service=inventory_service):
    products = product_service.ProductsApi(client(product_service, port_base, token))
    lamp = product_service.NewProduct(name="Lamp", price_cents=1999, currency="EUR")
    product = products.create_product(lamp)
    assert products.get_product(product.id) == product

    change = product_service.ProductChange(description="Gives light.")
    response = products.update_product_with_http_info(product.id, change)
    assert response.data.description == "Gives light." and response.headers["etag"], response
    stale = lambda: products.update_product(product.id, change, if_match='"1"')
    expect_problem(stale, 412, "precondition_failed")

    inventory = inventory_service.InventoryApi(client(inventory_service, port_base, token))
    stock = inventory.set_stock(product.id, inventory_service.StockCount(on_hand=on_hand))
    assert stock.available == on_hand
    return product


def order(port_base, token, product, order_service=order_service):
    orders = order_service.OrdersApi(client(order_service, port_base, token))

    def basket(quantity):
        item = order_service.BasketItem(product_id=product.id, quantity=quantity)
        return order_service.Basket(items=[item])

    key = str(uuid.uuid4())
    placed = orders.place_order(basket(2), idempotency_key=key)
    assert placed.status == "confirmed" and placed.total_cents == 2 * product.price_cents, placed
    assert orders.place_order(basket(2), idempotency_key=key).id == placed.id
    other_basket = lambda: orders.place_order(basket(3), idempotency_key=key)
    expect_problem(other_basket, 422, "idempotency_mismatch")

    too_many = lambda: orders.place_order(basket(10_000))
    conflict = expect_problem(too_many, 409, "insufficient_stock", order_service.OrderConflict)
    assert conflict.order.status == "rejected" and conflict.short[0].requested == 10_000, conflict

    listed = orders.list_orders(status="confirmed")
    assert [order.id for order in listed.items] == [placed.id], listed
    assert orders.cancel_order(placed.id).status == "cancelled"
    again = lambda: orders.cancel_order(placed.id)
    expect_problem(again, 409, "order_already_final", order_service.OrderConflict)
    expect_problem(lambda: orders.get_order(uuid.uuid4()), 404, "order_not_found")


def introspect(port_base, token):
    credentials = {"username": "order-service", "password": os.environ["ORDER_SERVICE_SECRET"]}
    oauth = user_service.OauthApi(client(user_service, port_base, **credentials))
    issued = oauth.issue_service_token(grant_type="client_credentials", audience="inventory-service")
    assert issued.token_type == "Bearer" and issued.expires_in > 0, issued
    assert oauth.introspect_token(token=token).active
    oauth.revoke_token(token=token)
    assert not oauth.introspect_token(token=token).active


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-base", type=int, required=True)
    port_base = parser.parse_args().port_base
    token = register_and_log_in(port_base)
    order(port_base, token, sell(port_base, token, on_hand=5))
    introspect(port_base, token)
    # The client of the gateway has all public routes.
    token = register_and_log_in(port_base, gateway)
    order(port_base, token, sell(port_base, token, 5, gateway, gateway), gateway)
    print("The generated clients registered, sold, ordered and cancelled.")


if __name__ == "__main__":
    main()
