create table products (
    id                 blob    not null primary key check (length(id) = 16),
    name               text    not null,
    description        text    not null,
    -- The same texts as searches compare them: capitals and spellings of accents folded away.
    name_folded        text    not null,
    description_folded text    not null,
    price_cents        integer not null check (price_cents between 0 and 1000000000000),
    currency           text    not null check (length(currency) = 3),
    owner_id           blob    not null check (length(owner_id) = 16),
    -- Counts the changes: the row's entity tag.
    version            integer not null check (version > 0),
    created_at         text    not null,
    updated_at         text    not null
) strict;

create index products_by_owner on products (owner_id, id);
