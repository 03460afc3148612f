create table products (
    id                 uuid        not null primary key,
    name               text        not null,
    description        text        not null,
    -- The same texts as searches compare them: capitals and spellings of accents folded away.
    name_folded        text        not null,
    description_folded text        not null,
    price_cents        bigint      not null check (price_cents between 0 and 1000000000000),
    currency           text        not null check (length(currency) = 3),
    owner_id           uuid        not null,
    -- Counts the changes: the row's entity tag.
    version            bigint      not null check (version > 0),
    created_at         timestamptz not null,
    updated_at         timestamptz not null
);

create index products_by_owner on products (owner_id, id);
