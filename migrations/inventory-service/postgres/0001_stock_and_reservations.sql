create table stock (
    product_id uuid        not null primary key,
    on_hand    bigint      not null check (on_hand between 0 and 1000000000000),
    -- What of it is promised to orders.
    reserved   bigint      not null check (reserved between 0 and on_hand),
    -- Counts the changes: the row's entity tag.
    version    bigint      not null check (version >= 0),
    updated_at timestamptz not null
);

create table reservations (
    order_id   uuid        not null primary key,
    -- refused: one of its products was short. released: given back, or called off before it was asked for.
    state      text        not null check (state in ('reserved', 'refused', 'committed', 'released')),
    created_at timestamptz not null
);

create table reservation_lines (
    order_id   uuid   not null references reservations (order_id),
    product_id uuid   not null,
    quantity   bigint not null check (quantity between 1 and 10000),
    -- How much there was, where that was too little: what the refusal said, and says again.
    available  bigint check (available between 0 and quantity - 1),
    primary key (order_id, product_id)
);

-- Every change of stock. The changes of a product add up to its row in `stock`.
create table stock_journal (
    id              uuid        not null primary key,
    product_id      uuid        not null references stock (product_id),
    kind            text        not null check (kind in ('set', 'reserve', 'commit', 'release')),
    on_hand_change  bigint      not null,
    reserved_change bigint      not null,
    order_id        uuid        references reservations (order_id),
    -- A person's id, or a service's name.
    actor           text        not null,
    at              timestamptz not null,
    check ((kind = 'set') = (order_id is null))
);

create index stock_journal_by_product on stock_journal (product_id, id);
-- Nothing is reserved, committed or released twice.
create unique index stock_journal_by_order on stock_journal (order_id, product_id, kind) where order_id is not null;
