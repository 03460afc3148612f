create table notes (
    user_id    uuid        not null primary key,
    text       text        not null,
    updated_at timestamptz not null
);
