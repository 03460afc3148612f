create table reviews (
    id         uuid        not null primary key,
    product_id uuid        not null,
    user_id    uuid        not null,
    stars      bigint      not null check (stars between 1 and 5),
    text       text        not null,
    created_at timestamptz not null,
    unique (user_id, product_id)
);

create index reviews_by_product on reviews (product_id, id);
