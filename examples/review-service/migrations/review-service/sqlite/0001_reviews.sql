create table reviews (
    id         blob    not null primary key check (length(id) = 16),
    product_id blob    not null check (length(product_id) = 16),
    user_id    blob    not null check (length(user_id) = 16),
    stars      integer not null check (stars between 1 and 5),
    text       text    not null,
    created_at text    not null,
    unique (user_id, product_id)
) strict;

create index reviews_by_product on reviews (product_id, id);
