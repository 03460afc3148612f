create table orders (
    id          blob    not null primary key check (length(id) = 16),
    user_id     blob    not null check (length(user_id) = 16),
    status      text    not null check (status in ('pending', 'confirmed', 'fulfilled', 'rejected', 'cancelled')),
    total_cents integer not null check (total_cents >= 0),
    currency    text    not null check (length(currency) = 3),
    created_at  text    not null,
    updated_at  text    not null
) strict;

create index orders_by_user on orders (user_id, id);
create index orders_by_user_and_status on orders (user_id, status, id);
create index orders_by_status on orders (status, id);

-- What was ordered, with the names and prices of that moment.
create table order_lines (
    order_id         blob    not null references orders (id),
    position         integer not null,
    product_id       blob    not null check (length(product_id) = 16),
    name             text    not null,
    unit_price_cents integer not null check (unit_price_cents >= 0),
    quantity         integer not null check (quantity between 1 and 10000),
    -- How much there was when there was too little. Null otherwise.
    available        integer,
    primary key (order_id, position)
) strict, without rowid;

-- What inventory-service has yet to be told, written in the transaction that decided it.
create table stock_tasks (
    order_id     blob    not null references orders (id),
    -- Tasks of one order are done in this order.
    number       integer not null,
    kind         text    not null check (kind in ('reserve', 'release', 'commit')),
    -- Whoever has the lease works on it until then; after that anyone may take it up.
    lease        blob    not null check (length(lease) = 16),
    leased_until text    not null,
    attempts     integer not null,
    primary key (order_id, number)
) strict, without rowid;

create index stock_tasks_by_lease on stock_tasks (leased_until);

create table idempotency_keys (
    user_id      blob not null check (length(user_id) = 16),
    key          text not null,
    -- SHA-256 of the order that was asked for.
    request_hash blob not null check (length(request_hash) = 32),
    order_id     blob not null references orders (id),
    created_at   text not null,
    primary key (user_id, key)
) strict, without rowid;

create index idempotency_keys_by_age on idempotency_keys (created_at);
