create table stock (
    product_id blob    not null primary key check (length(product_id) = 16),
    on_hand    integer not null check (on_hand between 0 and 1000000000000),
    -- What of it is promised to orders.
    reserved   integer not null check (reserved between 0 and on_hand),
    -- Counts the changes: the row's entity tag.
    version    integer not null check (version >= 0),
    updated_at text    not null
) strict;

create table reservations (
    order_id   blob not null primary key check (length(order_id) = 16),
    -- refused: one of its products was short. released: given back, or called off before it was asked for.
    state      text not null check (state in ('reserved', 'refused', 'committed', 'released')),
    created_at text not null
) strict;

create table reservation_lines (
    order_id   blob    not null references reservations (order_id),
    product_id blob    not null check (length(product_id) = 16),
    quantity   integer not null check (quantity between 1 and 10000),
    -- How much there was, where that was too little: what the refusal said, and says again.
    available  integer check (available between 0 and quantity - 1),
    primary key (order_id, product_id)
) strict;

-- Every change of stock. The changes of a product add up to its row in `stock`.
create table stock_journal (
    id              blob    not null primary key check (length(id) = 16),
    product_id      blob    not null references stock (product_id),
    kind            text    not null check (kind in ('set', 'reserve', 'commit', 'release')),
    on_hand_change  integer not null,
    reserved_change integer not null,
    order_id        blob    references reservations (order_id),
    -- A person's id, or a service's name.
    actor           text    not null,
    at              text    not null,
    check ((kind = 'set') = (order_id is null))
) strict;

create index stock_journal_by_product on stock_journal (product_id, id);
-- Nothing is reserved, committed or released twice.
create unique index stock_journal_by_order on stock_journal (order_id, product_id, kind) where order_id is not null;
