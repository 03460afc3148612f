create table orders (
    id          uuid        not null primary key,
    user_id     uuid        not null,
    status      text        not null check (status in ('pending', 'confirmed', 'fulfilled', 'rejected', 'cancelled')),
    total_cents bigint      not null check (total_cents >= 0),
    currency    text        not null check (length(currency) = 3),
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

create index orders_by_user on orders (user_id, id);
create index orders_by_user_and_status on orders (user_id, status, id);
create index orders_by_status on orders (status, id);

-- What was ordered, with the names and prices of that moment.
create table order_lines (
    order_id         uuid   not null references orders (id),
    position         bigint not null,
    product_id       uuid   not null,
    name             text   not null,
    unit_price_cents bigint not null check (unit_price_cents >= 0),
    quantity         bigint not null check (quantity between 1 and 10000),
    -- How much there was when there was too little. Null otherwise.
    available        bigint,
    primary key (order_id, position)
);

-- What inventory-service has yet to be told, written in the transaction that decided it.
create table stock_tasks (
    order_id     uuid        not null references orders (id),
    -- Tasks of one order are done in this order.
    number       bigint      not null,
    kind         text        not null check (kind in ('reserve', 'release', 'commit')),
    -- Whoever has the lease works on it until then; after that anyone may take it up.
    lease        uuid        not null,
    leased_until timestamptz not null,
    attempts     bigint      not null,
    primary key (order_id, number)
);

create index stock_tasks_by_lease on stock_tasks (leased_until);

create table idempotency_keys (
    user_id      uuid        not null,
    key          text        not null,
    -- SHA-256 of the order that was asked for.
    request_hash bytea       not null check (length(request_hash) = 32),
    order_id     uuid        not null references orders (id),
    created_at   timestamptz not null,
    primary key (user_id, key)
);

create index idempotency_keys_by_age on idempotency_keys (created_at);
