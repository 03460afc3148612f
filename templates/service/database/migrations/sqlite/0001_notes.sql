create table notes (
    user_id    blob not null primary key check (length(user_id) = 16),
    text       text not null,
    updated_at text not null
) strict;
